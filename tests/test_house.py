"""The rules of the house: floors, docstrings, names, and documentation that keeps up with the code."""

import ast
import re
from pathlib import Path

import click
import pytest

from portal.cli import main
from portal.config import SETTINGS
from portal.defaults.kinds import all_kinds
from portal.model.problem import PROBLEM_MESSAGES
from portal.services.facts import BUILT_IN_RULES

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(path for path in (ROOT / "portal").rglob("*.py") if path.parent.name != "versions")
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_states_its_one_reason_in_one_sentence(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))

    assert docstring
    first = docstring.splitlines()[0]
    assert first.endswith((".", ":"))
    assert " and " not in first


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_a_size_that_can_be_read(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 450


def test_no_module_is_a_drawer() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "helpers", "common", "misc", "base", "manager", "data"}


@pytest.mark.parametrize("setting", [setting.name for setting in SETTINGS])
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in DOCS


@pytest.mark.parametrize("code", sorted(PROBLEM_MESSAGES))
def test_every_problem_code_is_documented(code: str) -> None:
    assert f"`{code}`" in DOCS


@pytest.mark.parametrize("kind", [kind.name for kind in all_kinds()])
def test_every_kind_is_documented(kind: str) -> None:
    assert f"`{kind}`" in DOCS


@pytest.mark.parametrize("rule", [rule.id for rule in BUILT_IN_RULES])
def test_every_rule_is_documented_with_the_way_to_mend_what_it_finds(rule: str) -> None:
    rows = (ROOT / "docs/ownership.md").read_text(encoding="utf-8").splitlines()
    (cells,) = [row.split(" | ") for row in rows if row.startswith(f"| `{rule}` |")]

    assert all(len(cell) > 20 for cell in cells[1:])


def _commands(group: click.Group, path: str) -> list[str]:
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        here = f"{path} {name}"
        found += _commands(command, here) if isinstance(command, click.Group) else [here]
    return found


@pytest.mark.parametrize("command", _commands(main, "portal"))
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command}" in DOCS


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", "LICENSE", "Makefile", "catalog-info.yaml"])
def test_the_top_level_is_complete(document: str) -> None:
    assert (ROOT / document).is_file()


def test_every_test_that_the_threat_model_names_is_there() -> None:
    document = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    rows = [row for row in document.splitlines() if row.startswith("| ") and not row.startswith(("| what is", "| ---"))]
    named = {row: re.findall(r"`(tests/[\w/]+\.py|test_\w+)`", row.rsplit(" | ", 1)[-1]) for row in rows}
    known = {
        f"test_{name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def test_(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert len(rows) > 40
    assert not [row for row, names in named.items() if not names]
    assert not {name for names in named.values() for name in names if not (ROOT / name).is_file() and name not in known}
