import sys
import types
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from distributions import Install

from portal.defaults.extensions import engine_with
from portal.defaults.kinds import kind_registry
from portal.defaults.policies import rule_registry
from portal.errors import PluginError
from portal.graph.policies import Asset, Facts, Rule, evaluate
from portal.ingest import yaml
from portal.ingest.check import check
from portal.ingest.relate import relate
from portal.model.kind import Kind, Kinds
from portal.model.layer import Layer
from portal.model.permission_names import PERMISSIONS
from portal.model.ref import EntityRef
from portal.plugins import Registry
from portal.scaffolder.extensions import TemplateExtensions
from portal.services.identity import ANYBODY
from portal.services.permission_policy import PermissionPolicy

DOCS = Path(__file__).resolve().parents[2] / "docs/extending.md"


class _Distribution:
    def __init__(self, name: str) -> None:
        self.name = name


class _Point(EntryPoint):
    """An entry point of a distribution that is not installed."""

    def __init__(self, name: str, value: str, group: str, owner: str) -> None:
        super().__init__(name, value, group)
        vars(self)["dist"] = _Distribution(owner)


def documented(heading: str) -> dict[str, object]:
    """Return what the first code block under a heading of the documentation defines."""
    block = DOCS.read_text(encoding="utf-8").partition(heading)[2].partition("\n    # pyproject.toml")[0]
    block = block.partition("\n    [project.entry-points")[0]
    code = "\n".join(line[4:] for line in block.splitlines() if line.startswith("    ") or not line.strip())
    module = types.ModuleType("documented")
    sys.modules["documented"] = module
    exec(compile(code, str(DOCS), "exec"), vars(module))
    return vars(module)


def test_the_kind_of_the_documentation_works_as_a_built_in_one_does() -> None:
    kind = documented("## A kind: `portal.kinds`")["DASHBOARD"]
    assert isinstance(kind, Kind)
    kinds = Kinds([*kind_registry().values(), kind])
    text = (
        "apiVersion: acme.example.com/v1\nkind: Dashboard\nmetadata: {name: x}\n"
        "spec: {type: live, lifecycle: production, owner: a, shows: [sales]}\n"
    )

    declared = yaml.parse(text.encode())[0].value
    checked = check(declared, kinds=kinds)

    assert checked.entity is not None
    assert ("dashboard:default/x", "dependsOn", "dataset:default/sales") in relate(checked.entity.ref, declared, kind)
    assert kind.json_schema()["properties"]["kind"] == {"const": "Dashboard"}


def test_the_action_of_the_documentation_is_an_action() -> None:
    greet = documented("## An action: `portal.actions`")["Greet"]
    lines: list[str] = []
    context = types.SimpleNamespace(input={"name": "Ann"}, log=lines.append)

    greet().run(context)

    assert lines == ["hello Ann"]


def test_the_filters_of_the_documentation_do_what_they_say() -> None:
    found = documented("## A filter, a function, a value: `portal.filters`")
    added = TemplateExtensions.of(
        {
            "costCentre": found["COST_CENTRE"],  # type: ignore[dict-item]
            "registryOf": found["REGISTRY_OF"],  # type: ignore[dict-item]
            "regions": found["REGIONS"],  # type: ignore[dict-item]
        }
    )
    with engine_with(added, {}) as engine:
        names = {"parameters": {"team": "sales-3"}}
        assert engine.render_value("${{ parameters.team | costCentre }}", names).value == "SAL0003"
        assert engine.render_value("${{ registryOf(regions[0]) }}", names).value == "north.registry.example.com"
        (warning,) = engine.render_value("${{ 'x' | costCentre }}", names).warnings
        assert "is no team" in warning.message


def test_the_rule_of_the_documentation_finds_what_it_says() -> None:
    rule = documented("## A rule: `portal.policies`")["FewNeeds"]()
    assert isinstance(rule, Rule)
    layer = Layer(EntityRef("layer:default/low"), "Low", 1, ())
    needs = tuple(EntityRef(f"component:default/n{number}") for number in range(21))
    many, few = (
        Asset(EntityRef(f"component:default/{name}"), None, layer.ref, needs=found)
        for name, found in (("many", needs), ("few", needs[:20]))
    )

    found = evaluate(Facts([many, few], {layer.ref: layer}), rules=[rule])

    assert [(item.ref, item.rule, item.severity) for item in found] == [(many.ref, "acme/few-needs", "warn")]


def test_the_policy_of_the_documentation_decides_what_it_says() -> None:
    policy = documented("## A policy on permissions: `portal.policies`")["SandboxForAll"]()
    assert isinstance(policy, PermissionPolicy)

    deleting, reading = policy.decide(
        [PERMISSIONS["catalog.entity.delete"], PERMISSIONS["catalog.entity.read"]], ANYBODY, list
    )

    assert deleting.decision.criteria.to_json()["rule"] == "HAS_LABEL"
    assert reading is None


def test_a_distribution_brings_rules_through_the_door_of_the_built_in_ones(install: Install) -> None:
    """What is installed is found by its metadata: an object, a class instead of one, one under another's name."""
    rules = partial(
        install,
        "rules",
        module=(
            "class Quiet:\n    id = 'acme/quiet'\n    explanation = fix = 'x'\n"
            "    def check(self, facts, assets):\n        return iter(())\n"
            "QUIET = Quiet()\n"
        ),
        group="portal.policies",
    )
    rules(
        points="acme/quiet = acme_rules:QUIET\nacme/class = acme_rules:Quiet\n"
        "acme/other = acme_rules:QUIET\nacme/gone = acme_nothing:X"
    )

    registry = rule_registry()

    assert {"acme/quiet", "portal/owner-role", "portal/policy-rule"} <= set(registry)
    assert registry.distribution("acme/quiet") == "acme-rules"
    assert {item.name for item in registry.unavailable} == {"acme/class", "acme/other", "acme/gone"}

    rules(points="portal/owner-role = acme_rules:QUIET")
    with pytest.raises(PluginError, match="portal and acme-rules"):
        rule_registry()


def test_two_extensions_of_one_name_stop_the_start_naming_both() -> None:
    points = [_Point("Component", "os:path", "portal.kinds", "acme")]

    with pytest.raises(PluginError, match="portal and acme"):
        Registry("portal.kinds", defaults={"Component": object()}, kind=object, points=points)


def test_an_extension_that_cannot_be_imported_is_listed_with_its_reason() -> None:
    points = [
        _Point("Gone", "no_such_module:KIND", "portal.kinds", "acme"),
        _Point("Odd", "os:sep", "portal.kinds", "acme"),
    ]

    registry = Registry("portal.kinds", defaults={}, kind=Kind, points=points)

    assert list(registry) == []
    assert [(item.name, item.distribution) for item in registry.unavailable] == [("Gone", "acme"), ("Odd", "acme")]
    assert "no_such_module" in registry.unavailable[0].reason
    assert "found str" in registry.unavailable[1].reason
