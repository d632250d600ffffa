"""What a task is about to publish, read from the catalog files of its workspace."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from acting import write
from catalogs import component, documents, entity, location
from hypothesis import given
from hypothesis import strategies as st

from portal.actions.made import read_made
from portal.actions.workspace import Workspace
from portal.errors import InputError, NotAllowedError
from portal.model.ref import EntityRef

TEAM = EntityRef("group:default/team-a")


@pytest.fixture
def made(tmp_path):
    def read(files, **more):
        write(tmp_path, files)
        return [(item.path, str(item.ref)) for item in read_made(Workspace(tmp_path), **more)]

    return read


def test_every_document_of_every_catalog_file_counts(made):
    files = {
        "catalog-info.yaml": documents(
            component("one"), location("more", "./a.yaml", "sub", "./x-*.yaml", "https://x.y")
        ),
        "a.yaml": documents(component("two"), "", component("three")),
        "sub/catalog-info.yaml": component("four"),
        "x-1.yaml": component("five"),
        "deep/down/catalog-info.yml": component("six"),
        "named.yaml": component("seven"),
        "values.yaml": component("no"),
        ".git/catalog-info.yaml": component("no"),
    }
    assert made(files, named=["/named.yaml", "absent.yaml"]) == [
        ("a.yaml", "component:default/two"),
        ("a.yaml", "component:default/three"),
        ("catalog-info.yaml", "component:default/one"),
        ("catalog-info.yaml", "location:default/more"),
        ("deep/down/catalog-info.yml", "component:default/six"),
        ("named.yaml", "component:default/seven"),
        ("sub/catalog-info.yaml", "component:default/four"),
        ("x-1.yaml", "component:default/five"),
    ]


def test_only_what_is_in_the_published_folder_counts(made, tmp_path):
    files = {"catalog-info.yaml": component("out"), "in/catalog-info.yaml": component("in")}
    assert made(files, folder="in") == [("in/catalog-info.yaml", "component:default/in")]
    (tmp_path / "in" / "catalog-info.yaml").unlink()
    (tmp_path / "in" / "catalog-info.yaml").symlink_to("../catalog-info.yaml")
    assert made({}, folder="in") == []
    with pytest.raises(NotAllowedError):
        made({}, folder="../x")


def test_locations_that_lead_to_each_other_end(made):
    files = {"catalog-info.yaml": location("a", "./b.yaml"), "b.yaml": location("b", "./catalog-info.yaml", "b.yaml")}
    assert len(made(files)) == 2


def test_the_skeleton_of_another_template_is_no_entity(made):
    skeleton = component("one").replace("owner: team-a", 'owner: "${{ values.owner }}"')
    assert made({"skeleton/catalog-info.yaml": skeleton, "x/catalog-info.yaml": "{% if a %}\n{"}) == []
    assert len(made({"catalog-info.yaml": skeleton})) == 1


@pytest.mark.parametrize("text", ["{% if a %}\n{", "just text", "kind: Component", "kind: [a]\nmetadata: {name: x}"])
def test_a_catalog_file_that_cannot_be_read_is_told_with_its_place(made, text):
    with pytest.raises(InputError, match=r"^catalog-info.yaml:\d+:\d+"):
        made({"catalog-info.yaml": text})


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("owner: team-a", None),
        ("owners: [team-a, team-b]", None),
        (
            "owner: team-b",
            "catalog-info.yaml:4:8 spec.owner: .*found group:default/team-b; expected group:default/team-a",
        ),
        ("owner: team-b, owners: [team-a]", "spec.owner: .*found group:default/team-b"),
        ("owners: [team-b, team-a]", "catalog-info.yaml:4:17 spec.owners.0: .*found group:default/team-b"),
        ("owners: []", "spec.owners: .*found"),
        ("owner: [team-a]", "spec.owner: "),
        ('owner: ""', "spec.owner: "),
        ("type: x", "catalog-info.yaml:4:1 spec.owner: A required field is missing: found no owner"),
    ],
)
def test_an_owner_that_was_not_asked_for_is_told_with_its_place(tmp_path, spec, told):
    write(tmp_path, {"catalog-info.yaml": entity("Component", "one", spec)})
    (made,) = read_made(Workspace(tmp_path))
    problem = made.owner_problem(TEAM)
    if told is None:
        assert problem is None
    else:
        with pytest.raises(InputError, match=told):
            raise InputError(str(problem))


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "team-a", "location", "a:b:c", "../x", "\0", "*"])
)
KEYS = st.sampled_from(
    ["kind", "metadata", "name", "namespace", "spec", "owner", "owners", "target", "targets", "layer"]
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
ALMOST = st.fixed_dictionaries(
    {"kind": st.sampled_from(["Component", "Location", ""]), "metadata": st.fixed_dictionaries({"name": LEAVES})},
    optional={"spec": ANYTHING},
)


@given(st.lists(ANYTHING | ALMOST, max_size=3))
def test_whatever_the_documents_are_they_are_read_or_told(values):
    with tempfile.TemporaryDirectory() as folder, suppress(InputError):
        Path(folder, "catalog-info.yaml").write_text("\n---\n".join(map(json.dumps, values)))
        for made in read_made(Workspace(Path(folder))):
            problem = made.owner_problem(TEAM)
            assert (problem is None) == (made.owner == TEAM)
            assert problem is None or str(problem).startswith("catalog-info.yaml:")
