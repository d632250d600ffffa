"""Who owns: `spec.owner`, `spec.owners`, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.defaults.kinds import all_kinds
from portal.ingest.check import check, problem_of
from portal.ingest.relate import declared_relations, declared_targets
from portal.model.layer import accountable_owner
from portal.model.ref import EntityRef

KINDS = all_kinds()
REF = EntityRef("component:shop/a")
COMPONENT = {"type": "service", "lifecycle": "production"}
DATASET = {"type": "table", "lifecycle": "production"}
#: A spec of each kind that has an owner, without it, as Backstage or Portal asks for.
OWNED: Mapping[str, Mapping[str, Any]] = {
    "Component": COMPONENT,
    "API": COMPONENT | {"definition": "x"},
    "Resource": {"type": "database"},
    "System": {},
    "Domain": {},
    "AiResource": COMPONENT,
    "Project": {"lifecycle": "production"},
    "Pipeline": DATASET,
    "Dataset": DATASET,
    "FeatureSet": DATASET,
    "Model": DATASET,
    "Experiment": DATASET,
    "Notebook": DATASET,
    "Layer": {"rank": 1, "ownerRoles": []},
    "Policy": {"rule": "x", "severity": "warn"},
    "KindDefinition": {"names": {"kind": "Thing"}, "group": "example.com", "version": "v1"},
}
VARIANTS = {
    "API": {"type": "mcp-server", "remotes": [{"type": "sse", "url": "https://example.com"}]},
    "AiResource": {"type": "rule", "category": "a", "rationale": "b"},
}


def document(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    known = KINDS.named(kind)
    assert known is not None
    return {
        "apiVersion": min(known.api_versions),
        "kind": kind,
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": dict(spec),
    }


def faults(kind: str, spec: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the problems of a document: severity, field, what was found."""
    told = [problem_of(fault) for fault in check(document(kind, spec), kinds=KINDS).faults]
    return [(problem.severity, problem.field, problem.found) for problem in told]


def owned_by(kind: str, spec: Mapping[str, Any]) -> list[EntityRef]:
    """Return whom a document has ownedBy with, as it tells them."""
    made = document(kind, spec)
    known = KINDS.named(kind)
    assert known is not None
    found = declared_relations(EntityRef.of(kind, "shop", "a"), made, known)
    return [to for emitted, _, to in found if emitted == "ownedBy"]


def accountable(kind: str, spec: Mapping[str, Any]) -> EntityRef | None:
    known = KINDS.named(kind)
    assert known is not None
    return declared_targets(EntityRef.of(kind, "shop", "a"), document(kind, spec), known).get("owner")


def test_every_kind_with_an_owner_is_looked_at() -> None:
    found = {kind.name for kind in KINDS if "owner" in kind.spec_schema.fields}

    assert found == OWNED.keys() | {"Template"}


@pytest.mark.parametrize("kind", OWNED)
def test_owners_stand_in_for_an_owner_and_the_first_is_accountable(kind: str) -> None:
    for spec in (OWNED[kind], OWNED[kind] | VARIANTS.get(kind, {})):
        several = spec | {"owners": ["a", "user:b", "other/c", "group:shop/a"]}

        assert faults(kind, several) == []
        assert owned_by(kind, several) == ["group:shop/a", "user:shop/b", "group:other/c"]
        assert accountable(kind, several) == "group:shop/a"


@pytest.mark.parametrize("kind", OWNED)
def test_an_owner_is_accountable_before_the_owners(kind: str) -> None:
    for owners in (["b", "c"], ["b", "a", "c"], ["a"]):
        both = OWNED[kind] | {"owner": "a", "owners": owners}

        assert faults(kind, both) == []
        assert sorted(owned_by(kind, both)) == sorted({f"group:shop/{name}" for name in ["a", *owners]})
        assert accountable(kind, both) == "group:shop/a"


@pytest.mark.parametrize("kind", OWNED)
def test_one_of_the_two_is_needed(kind: str) -> None:
    assert faults(kind, OWNED[kind]) == [("error", "spec.owner", "")]
    assert faults(kind, OWNED[kind] | {"owner": None, "owners": ["a"]}) == [("error", "spec.owner", "null")]


MALFORMED: list[tuple[Any, str, str]] = [
    ([], "spec.owners", "[]"),
    ("team-a", "spec.owners", '"team-a"'),
    (5, "spec.owners", "5"),
    (None, "spec.owners", "null"),
    ({"a": "b"}, "spec.owners", '{"a":"b"}'),
    (["a", ""], "spec.owners.1", '""'),
    (["a", 5], "spec.owners.1", "5"),
    (["a", ["b"]], "spec.owners.1", '["b"]'),
    (["a", "x:"], "spec.owners.1", '"x:"'),
]


@pytest.mark.parametrize(("owners", "field", "found"), MALFORMED, ids=str)
def test_malformed_owners_keep_nothing_out_that_backstage_takes(owners: Any, field: str, found: str) -> None:
    """Backstage does not look at the field; nobody of a malformed list owns."""
    beside = COMPONENT | {"owner": "t", "owners": owners}
    template = {"type": "service", "steps": [], "owners": owners}

    assert check(document("Component", beside), kinds=KINDS).entity is not None
    assert faults("Component", beside) == [("warning", field, found)]
    assert owned_by("Component", beside) == ["group:shop/t"]
    # Backstage asks of a template for no owner.
    assert check(document("Template", template), kinds=KINDS).entity is not None
    assert faults("Template", template) == [("warning", field, found)]
    assert owned_by("Template", template) == []
    assert accountable("Template", template) is None


@pytest.mark.parametrize(("owners", "field", "found"), MALFORMED, ids=str)
def test_malformed_owners_are_an_error_where_nobody_else_owns(owners: Any, field: str, found: str) -> None:
    for kind in OWNED:
        assert faults(kind, OWNED[kind] | {"owners": owners}) == [("error", field, found)]
    # Portal's own kinds are as strict as ever.
    assert faults("Dataset", DATASET | {"owner": "t", "owners": owners}) == [("error", field, found)]


def test_a_fault_tells_what_is_expected_and_how_it_is_mended() -> None:
    for owners, expected in (
        ([], "a list of at least 1"),
        ("a", "a list of texts that are not empty"),
        (["a:"], "an entity reference of the form [kind:][namespace/]name"),
    ):
        (fault,) = check(document("Component", COMPONENT | {"owners": owners}), kinds=KINDS).faults

        assert problem_of(fault).expected == expected
        assert problem_of(fault).hint.startswith("List groups or users; the first is accountable")


def test_a_list_that_is_a_text_names_nobody_by_its_letters() -> None:
    """It was so once with contributors, which are as lenient."""
    spec = COMPONENT | {"owner": "t", "contributors": "ann"}

    assert faults("Component", spec) == [("warning", "spec.contributors", '"ann"')]
    known = KINDS.named("Component")
    assert known is not None
    assert declared_relations(REF, document("Component", spec), known) == [("ownedBy", "ownerOf", "group:shop/t")]


#: Larger ones are doubles by the time that a document is checked, whatever it came from.
NUMBERS = st.integers(-(2**63), 2**64 - 1)
NAMES = st.sampled_from(["a", "b", "A", "user:a", "group:shop/a", "other/a", "group:b", "", "x:", "/"])
OWNER = st.just({}) | st.fixed_dictionaries({"owner": NAMES | st.sampled_from([None, 5, ["a"]])})
OWNERS = st.just({}) | st.fixed_dictionaries(
    {"owners": st.lists(NAMES, max_size=4) | st.lists(NAMES | NUMBERS, max_size=3) | st.none() | NAMES}
)


@given(st.sampled_from(["Component", "Template", "Dataset"]), OWNER, OWNERS)
def test_owner_and_owners_equal_a_naive_reading_of_the_rule(
    kind: str, owner: Mapping[str, Any], owners: Mapping[str, Any]
) -> None:
    """Of what is accepted: the owner comes first, then the owners, each once; a malformed list is left out whole."""
    base = {"type": "x", "steps": []} if kind == "Template" else COMPONENT
    spec = base | owner | owners

    def read(names: Any) -> list[str] | None:
        found = []
        for name in names if isinstance(names, list) else [None]:
            head, colon, rest = name.partition(":") if isinstance(name, str) else ("", "", "")
            who, place = (head, rest) if colon else ("group", head)
            namespace, slash, last = place.partition("/")
            parts = (who, namespace, last) if slash else (who, "shop", place)
            if not all(parts):
                return None
            found.append(f"{parts[0]}:{parts[1]}/{parts[2]}".lower())
        return found

    first = read([spec["owner"]]) if "owner" in spec else []
    rest = read(spec["owners"]) if "owners" in spec else []
    is_listed = rest is not None and ("owners" not in spec or rest != [])
    if first is None:
        is_accepted = False
    elif kind == "Dataset":
        is_accepted = is_listed and bool(first or rest)
    else:
        is_accepted = bool(first) or kind == "Template" or bool(rest)
    named = list(dict.fromkeys([*(first or ()), *(rest or ())]))

    made = document(kind, spec)
    entity = check(made, kinds=KINDS).entity

    assert (entity is not None) == is_accepted
    if entity is not None:
        assert owned_by(kind, spec) == named
        assert accountable(kind, spec) == (named[0] if named else None)
        assert accountable_owner(made, entity.ref) == (named[0] if named else None)
