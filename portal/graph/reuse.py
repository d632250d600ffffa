"""Counts how many projects use each asset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from portal.model.ref import EntityRef

#: So many of the projects that use an asset are named; all are counted.
MOST_NAMED = 10
#: So many projects are counted at once: each is a bit of a number that every asset has.
_AT_ONCE = 2_048

_Steps = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Use:
    """Who uses an asset: how many projects, directly or through others, the first of them, and how many need it."""

    projects: int = 0
    named: tuple[EntityRef, ...] = ()
    dependents: int = 0


def belongings(
    projects: Iterable[EntityRef],
    *,
    needs: Mapping[str, Collection[str]],
    parts: Mapping[str, Collection[str]],
    layers: Mapping[str, str | None],
) -> dict[EntityRef, set[str]]:
    """Return what belongs to each project.

    That is the project itself, its parts (such as its experiments), the systems that it depends on, and their parts,
    as far as they stand in the project's layer. `layers` gives the effective layer of all that is in the catalog.
    """
    found = {}
    for project in projects:
        layer = layers.get(project)
        systems = (ref for ref in needs.get(project, ()) if ref.startswith("system:"))
        frontier = {project, *(ref for ref in systems if ref in layers and layers[ref] == layer)}
        mine: set[str] = set()
        while frontier:
            mine |= frontier
            below = {part for whole in frontier for part in parts.get(whole, ())} - mine
            frontier = {ref for ref in below if ref in layers and layers[ref] == layer}
        found[project] = mine
    return found


def uses(needs: _Steps, belonging: Mapping[EntityRef, Collection[str]]) -> dict[str, Use]:
    """Return who uses each asset that anything needs; cycles and names that nothing has do no harm.

    `needs` are steps as (what needs, what is needed); nothing needs itself. A project uses what anything that belongs
    to it needs, directly or through others.
    """
    steps = {(source, target) for source, target in needs if source != target}
    dependents: dict[str, int] = {}
    for _, target in steps:
        dependents[target] = dependents.get(target, 0) + 1
    refs = sorted({ref for step in steps for ref in step})
    numbers = {ref: number for number, ref in enumerate(refs)}
    import rustworkx  # noqa: PLC0415  # 4 MB that an ingest does not need

    graph: rustworkx.PyDiGraph[str, None] = rustworkx.PyDiGraph(multigraph=False)
    graph.add_nodes_from(refs)
    graph.add_edges_from_no_data([(numbers[source], numbers[target]) for source, target in steps])
    following: list[list[int]] = [[] for _ in refs]
    for source, target in steps:
        following[numbers[source]].append(numbers[target])
    # What is needed comes before what needs it, so that the other way round each is reached when it is complete.
    rings = rustworkx.strongly_connected_components(graph)[::-1]
    projects = sorted(belonging)
    counts = [0] * len(refs)
    told: list[tuple[EntityRef, ...]] = [()] * len(refs)
    for start in range(0, len(projects), _AT_ONCE):
        some = projects[start : start + _AT_ONCE]
        own = [0] * len(refs)
        for bit, project in enumerate(some):
            for ref in belonging[project]:
                if ref in numbers:
                    own[numbers[ref]] |= 1 << bit
        for number, mask in enumerate(_reached(rings, following, own)):
            if mask:
                counts[number] += mask.bit_count()
                if len(told[number]) < MOST_NAMED:
                    told[number] = (*told[number], *_named(mask, some))[:MOST_NAMED]
    return {ref: Use(counts[numbers[ref]], told[numbers[ref]], count) for ref, count in dependents.items()}


def _reached(rings: Sequence[Sequence[int]], following: Sequence[Sequence[int]], own: Sequence[int]) -> list[int]:
    """Return, for each node, the bits of all from which steps lead to it; `rings` come in the order of the steps."""
    reached = [0] * len(own)
    for ring in rings:
        mask = 0
        for node in ring:
            mask |= reached[node] | own[node]
        if len(ring) > 1:
            # Each of a ring is reached from every other, and from itself.
            for node in ring:
                reached[node] = mask
        if mask:
            for node in ring:
                for target in following[node]:
                    reached[target] |= mask
    return reached


def _named(mask: int, projects: Sequence[EntityRef]) -> list[EntityRef]:
    found: list[EntityRef] = []
    while mask and len(found) < MOST_NAMED:
        low = mask & -mask
        found.append(projects[low.bit_length() - 1])
        mask ^= low
    return found
