"""What a template hands to actions leads none of them out of the workspace, whichever are registered."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from acting import Runner, write

from portal.actions.contract import Action
from portal.actions.schema import json_schema
from portal.app.dry_runs import dry_runs_alone
from portal.config import load_settings
from portal.defaults.actions import all_actions
from portal.errors import PortalError

CANARY = "what-nobody-may-read-or-change"
#: Each leads to the folder `outside` beside the workspace; `out` and `leak` are links to it, and to its file.
HOSTILE = (
    "../outside/canary.txt",
    "out/canary.txt",
    "leak",
    "../outside",
    "out",
    "OUTSIDE/canary.txt",
    "a/../../outside/canary.txt",
    "out/new.txt",
    "../outside/new.txt",
    "file://OUTSIDE",
    "./\0/../../outside/canary.txt",
)
#: Each run of these starts programs.
_COSTLY = ("publish:", "fetch:cookiecutter", "fetch:copier", "github:", "gitlab:", "gitea:")
#: Aliases of aliases: a kilobyte that means gigabytes.
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.fixture(scope="module")
def actions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Action]]:
    """The actions of a Portal that has nobody to ask."""
    folder = tmp_path_factory.mktemp("portal")
    with dry_runs_alone(load_settings(environment={}, overrides={"data": str(folder)})) as runs:
        yield runs._actions


def _names() -> list[str]:
    found = all_actions.__globals__  # each is a class of that module: what is added there is tried here
    return sorted(
        {
            value.id
            for value in found.values()
            if isinstance(value, type) and isinstance(getattr(value, "id", None), str)
        }
    )


def minimal(schema: Mapping[str, Any]) -> Any:
    """Return a plain value of a schema."""
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        return {name: minimal(schema["properties"][name]) for name in schema.get("required", ())}
    return {"string": "mine", "number": 0, "boolean": False}.get(kind, [])


def variants(schema: Mapping[str, Any], value: Any, hostile: str) -> Iterator[Any]:
    """Yield a value with a hostile text at each place where a schema lets one stand."""
    kinds = schema.get("type") or ["string"]
    if "string" in kinds and not schema.get("enum"):
        yield hostile
    if "array" in kinds:
        items = schema.get("items", {})
        given = value[0] if isinstance(value, list) and value else minimal(items)
        yield from ([one] for one in variants(items, given, hostile))
    if "object" in kinds and "properties" in schema:
        given = value if isinstance(value, dict) else minimal(schema)
        for name, member in schema["properties"].items():
            yield from (given | {name: one} for one in variants(member, given.get(name), hostile))


def made(folder: Path) -> Runner:
    """Lay a workspace and a template, with a folder beside that is neither's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run = Runner(folder)
    write(folder / "outside", {"canary.txt": CANARY})
    for place in (run.work, run.template):
        write(place, {"mine": '{"a": 1}', "skeleton/a.txt": "${{ values.a }}", "files/LICENSE": "mine"})
        (place / "out").symlink_to("../outside")
        (place / "leak").symlink_to("../outside/canary.txt")
    write(run.template, {"skeleton/cookiecutter.json": "{}", "project/copier.yml": ""})
    return run


@pytest.mark.parametrize("name", _names())
def test_no_input_of_any_action_leads_out(name: str, actions: Mapping[str, Action], tmp_path: Path) -> None:
    action = actions[name]
    schema = json_schema(action.input_schema)
    bases = [example.step.get("input", {}) for example in action.examples] or [minimal(schema)]
    tried = refused = 0
    for hostile in HOSTILE[:2] if name.startswith(_COSTLY) else HOSTILE:
        folder = tmp_path / "place"
        text = hostile.replace("OUTSIDE", str(folder / "outside"))
        for given in (one for base in bases for one in variants(schema, dict(base), text)):
            run = made(folder)
            output: Any = {}
            lines: list[str] = []
            tried += 1
            try:
                output, lines = run(action, given)
            except PortalError as error:
                refused += 1
                lines = [error.message]
            what = f"{name} with {given!r}"
            assert [path.name for path in (folder / "outside").iterdir()] == ["canary.txt"], what
            assert (folder / "outside" / "canary.txt").read_text() == CANARY, what
            assert CANARY not in json.dumps(output, default=repr) + "".join(lines), what
            for path in run.work.rglob("*"):
                assert path.is_symlink() or not path.is_file() or CANARY.encode() not in path.read_bytes(), what
    takes_paths = any("path" in member.lower() or member in {"url", "files"} for member in schema["properties"])
    assert refused or not takes_paths, f"{name}: {tried} tried, none refused"


def test_every_registered_action_is_tried(actions: Mapping[str, Action]) -> None:
    assert {name for name in actions if ":" in name} <= set(_names())


@pytest.mark.parametrize(
    ("name", "file", "given"),
    [
        ("fetch:template", "skeleton/${{ values.n }}", {"url": "./skeleton"}),
        ("fetch:cookiecutter", "skeleton/{{ cookiecutter.n }}", {"url": "./skeleton"}),
        ("fetch:copier", "project/{{ n }}.jinja", {"url": "./project"}),
    ],
)
@pytest.mark.parametrize("hostile", ["../outside/new.txt", "../outside/canary.txt", "OUTSIDE/new.txt", "out/new.txt"])
def test_no_name_that_a_template_makes_leads_out(
    name: str, file: str, given: dict[str, Any], hostile: str, actions: Mapping[str, Action], tmp_path: Path
) -> None:
    run = made(tmp_path / "place")
    outside = tmp_path / "place" / "outside"
    write(
        run.template, {file: "mine", "skeleton/cookiecutter.json": '{"n": ""}', "project/copier.yml": "n: {type: str}"}
    )
    # A name that begins with a slash has an empty part, and is left out, as Backstage has it.
    with nullcontext() if hostile.startswith("OUTSIDE") and name == "fetch:template" else pytest.raises(PortalError):
        run(actions[name], {**given, "values": {"n": hostile.replace("OUTSIDE", str(outside))}})
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"canary.txt": CANARY}


@pytest.mark.parametrize("name", _names())
def test_a_file_that_unfolds_without_end_is_refused_in_time(
    name: str, actions: Mapping[str, Action], tmp_path: Path
) -> None:
    action = actions[name]
    schema = json_schema(action.input_schema)
    if "path" not in schema["properties"] or name.startswith(_COSTLY):
        pytest.skip("it reads no file of the workspace")
    run = made(tmp_path / "place")
    write(run.work, {"bomb.yaml": BOMB})
    parsers = schema["properties"].get("parser", {}).get("enum") or [None]
    for example in action.examples:
        for parser in parsers:
            given = dict(example.step["input"]) | {"path": "bomb.yaml"} | ({"parser": parser} if parser else {})
            started = time.process_time()
            try:
                output, lines = run(action, given)
            except PortalError:
                output, lines = {}, []
            assert time.process_time() - started < 30, given
            assert len(repr(output)) + len("".join(lines)) < 64 * 1024 * 1024, given
