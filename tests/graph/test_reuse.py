from __future__ import annotations

from collections.abc import Collection, Mapping

from hypothesis import given
from hypothesis import strategies as st

from portal.graph import reuse
from portal.graph.reuse import belongings, uses
from portal.model.ref import EntityRef

PROJECTS = [EntityRef(f"project:default/p{number}") for number in range(4)]
SYSTEMS = [EntityRef(f"system:default/s{number}") for number in range(3)]
ASSETS = [EntityRef(f"component:default/c{number}") for number in range(6)]
GONE = EntityRef("component:default/gone")
EVERY = [*PROJECTS, *SYSTEMS, *ASSETS, GONE]
STEPS = st.lists(st.tuples(st.sampled_from(EVERY), st.sampled_from(EVERY)), max_size=25)


def grouped(steps: Collection[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for source, target in steps:
        found.setdefault(source, set()).add(target)
    return found


def reached(starts: Collection[str], steps: Mapping[str, Collection[str]]) -> set[str]:
    """Return what one or more steps lead to."""
    found: set[str] = set()
    frontier = set(starts)
    while frontier:
        frontier = {target for source in frontier for target in steps.get(source, ())} - found
        found |= frontier
    return found


@given(steps=STEPS, belonging=st.dictionaries(st.sampled_from(PROJECTS), st.sets(st.sampled_from(EVERY), max_size=4)))
def test_uses_are_those_that_a_walk_from_each_project_finds(
    steps: list[tuple[EntityRef, EntityRef]], belonging: dict[EntityRef, set[str]]
) -> None:
    found = uses(steps, belonging)

    needs = grouped([step for step in steps if step[0] != step[1]])
    walks = {project: reached(mine, needs) for project, mine in belonging.items()}
    assert set(found) == {target for targets in needs.values() for target in targets}
    for ref, use in found.items():
        named = sorted(project for project, walked in walks.items() if ref in walked)
        assert (use.projects, list(use.named)) == (len(named), named)
        assert use.dependents == sum(ref in targets for targets in needs.values())


@given(needs=STEPS, parts=STEPS, shared=st.sets(st.sampled_from(EVERY)))
def test_what_belongs_to_a_project_equals_a_naive_reference(
    needs: list[tuple[EntityRef, EntityRef]], parts: list[tuple[EntityRef, EntityRef]], shared: set[EntityRef]
) -> None:
    layers: dict[str, str | None] = {ref: "shared" if ref in shared else "project" for ref in EVERY if ref != GONE}

    found = belongings(PROJECTS, needs=grouped(needs), parts=grouped(parts), layers=layers)

    for project in PROJECTS:
        alike = {ref for ref, layer in layers.items() if layer == layers[project]}
        mine = {project} | {ref for ref in SYSTEMS if (project, ref) in needs and ref in alike}
        while more := {part for whole, part in parts if whole in mine and part in alike} - mine:
            mine |= more
        assert found[project] == mine


def test_many_projects_are_counted_in_portions_and_the_first_are_named(monkeypatch) -> None:
    monkeypatch.setattr(reuse, "_AT_ONCE", 7)
    projects = [EntityRef(f"project:default/p{number:02}") for number in range(30)]

    found = uses([(project, ASSETS[0]) for project in projects], {project: [project] for project in projects})

    assert found[ASSETS[0]].projects == 30
    assert list(found[ASSETS[0]].named) == projects[: reuse.MOST_NAMED]
