from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from entity_rows import insert_edges
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from portal.graph.walk import beyond, over, walk
from portal.model.ref import EntityRef
from portal.model.relation import Relation
from portal.store import graph
from portal.store.bulk import insert_rows
from portal.store.database import Database
from portal.store.dialect import CHUNK
from portal.store.tables import entities, relations

once_for_all = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, print_blob=True
)
DEFAULTS = {"dataset": "shared"}


def component(name: object) -> EntityRef:
    return EntityRef(f"component:default/{name}")


def write(database: Database, nodes: Sequence[Mapping[str, Any]], edges: Collection[Relation] = ()) -> None:
    """Make the catalog hold just these entities and relations, each relation declared by its source."""
    blank = dict.fromkeys(("owner", "system", "domain", "layer"))
    text = dict.fromkeys(("etag", "source_id", "location", "digest"), "")
    with database.writing() as connection:
        connection.execute(relations.delete())
        connection.execute(entities.delete())
        numbers = insert_edges(
            connection,
            [(edge.source, edge.type, edge.target, False) for edge in edges],
            refs_too=[node["ref"] for node in nodes],
        )
        rows = [
            {
                "id": numbers[node["ref"]],
                "uid": str(number),
                "kind": node["ref"].kind,
                "title": node["ref"].name,
                "document_id": 0,
            }
            | {"body": "{}"}
            | text
            | blank
            | node
            for number, node in enumerate(nodes, 1)
        ]
        insert_rows(connection, entities, rows)


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Note the statements that are run meanwhile."""
    seen: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


@once_for_all
@given(edges=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20))
def test_a_walk_over_sql_equals_a_walk_over_a_dict(edges, database: Database) -> None:
    made: dict[EntityRef, list[EntityRef]] = {}
    for source, target in edges:
        made.setdefault(component(source), []).append(component(target))
    noise = {Relation(component(target), "ownedBy", component(source)) for source, target in edges}
    write(database, [], {Relation(component(a), "dependsOn", component(b)) for a, b in edges} | noise)

    with database.reading() as connection:
        found = walk(component(0), lambda refs: graph.steps_from(connection, refs, types=["dependsOn"]))

    assert found == walk(component(0), over(made))


@once_for_all
@given(
    edges=st.sets(
        st.tuples(st.integers(0, 6), st.sampled_from(["childOf", "memberOf"]), st.integers(0, 6)), max_size=20
    ),
    roots=st.sets(st.integers(0, 8), max_size=3),
)
def test_steps_beyond_are_those_that_a_walk_hop_by_hop_takes(edges, roots, database: Database) -> None:
    noise = {Relation(component(target), "ownedBy", component(source)) for source, _, target in edges}
    write(database, [], {Relation(component(a), name, component(b)) for a, name, b in edges} | noise)
    wanted = {component(root) for root in roots}

    with database.reading() as connection:
        found = graph.steps_beyond(connection, wanted, types=("memberOf", "childOf"))
        hop_by_hop = beyond(wanted, lambda refs: graph.steps_from(connection, refs, types=("childOf", "memberOf")))

    assert found == {source: sorted(targets) for source, targets in hop_by_hop.items()}
    naive: dict[EntityRef, set[EntityRef]] = {}
    for source, _, target in edges:
        naive.setdefault(component(source), set()).add(component(target))
    reached = set(wanted)
    while more := {target for ref in reached for target in naive.get(ref, ())} - reached:
        reached |= more
    assert hop_by_hop == {source: naive[source] for source in reached & naive.keys()}


def test_one_statement_goes_beyond_however_long_the_way(database: Database) -> None:
    write(database, [], {Relation(component(number), "childOf", component(number + 1)) for number in range(40)})

    with counted(database) as statements, database.reading() as connection:
        found = graph.steps_beyond(connection, [component(0)], types=["childOf"])

    assert len(found) == 40
    assert len([statement for statement in statements if "relations" in statement]) == 1


REFS = {kind: [EntityRef(f"{kind}:default/{number}") for number in range(3)] for kind in ("domain", "system")}
LAYERS = st.sampled_from([None, EntityRef("layer:default/low"), EntityRef("layer:default/high")])
SYSTEMS = st.sampled_from([None, *REFS["system"], EntityRef("system:default/gone")])
DOMAINS = st.sampled_from([None, *REFS["domain"], EntityRef("domain:default/gone")])


@once_for_all
@given(
    domains=st.lists(LAYERS, min_size=3, max_size=3),
    systems=st.lists(st.tuples(LAYERS, DOMAINS), min_size=3, max_size=3),
    assets=st.lists(st.tuples(st.sampled_from(["component", "dataset"]), LAYERS, SYSTEMS), max_size=6),
)
def test_the_effective_layer_equals_a_naive_reading_of_the_rule(domains, systems, assets, database: Database) -> None:
    nodes: list[dict[str, Any]] = [
        {"ref": ref, "layer": layer} for ref, layer in zip(REFS["domain"], domains, strict=True)
    ]
    nodes += [
        {"ref": ref, "layer": layer, "domain": domain}
        for ref, (layer, domain) in zip(REFS["system"], systems, strict=True)
    ]
    nodes += [
        {"ref": EntityRef(f"{kind}:default/{number}"), "layer": layer, "system": system}
        for number, (kind, layer, system) in enumerate(assets)
    ]
    by_ref = {node["ref"]: node for node in nodes}

    def naive(ref: EntityRef) -> EntityRef | None:
        node = by_ref[ref]
        for above in (node.get("system"), node.get("domain")):
            if node["layer"] is None and above in by_ref and (found := naive(above)) is not None:
                return found
        default = DEFAULTS.get(ref.kind)
        return node["layer"] or (EntityRef(f"layer:default/{default}") if default else None)

    write(database, nodes)
    with database.reading() as connection:
        found = graph.nodes(connection, default_layers=DEFAULTS)
        some = graph.nodes(connection, refs=list(by_ref)[::2], default_layers=DEFAULTS)

    assert {ref: node.layer for ref, node in found.items()} == {ref: naive(ref) for ref in by_ref}
    assert list(found) == sorted(by_ref)
    assert some == {ref: found[ref] for ref in sorted(list(by_ref)[::2])}


def test_a_level_takes_one_statement_for_each_portion_of_it(database: Database) -> None:
    for size, expected in ((10, 2), (20, 2), (CHUNK + 1, 3)):
        edges = [Relation(component("root"), "dependencyOf", component(number)) for number in range(size)]
        write(database, [], edges)
        with database.reading() as connection, counted(database) as seen:
            found = walk(component("root"), lambda refs: graph.steps_from(connection, refs, types=["dependencyOf"]))

        assert len(found.distances) == size + 1
        assert len(seen) == expected


def test_a_statement_is_the_same_however_many_are_asked_for(database: Database) -> None:
    told = []
    for size in (1, 3):
        asked = [component(number) for number in range(size)]
        with database.reading() as connection, counted(database) as seen:
            graph.nodes(connection, refs=asked, default_layers={})
            graph.documents_of(connection, asked)
            list(graph.steps_from(connection, asked, types=["dependsOn", "partOf"]))
            graph.steps_beyond(connection, asked, types=["childOf"])
        told.append([statement for statement in seen if not statement.startswith("BEGIN")])

    assert len(told[0]) == 4
    assert told[0] == told[1]


def test_entities_are_read_by_one_statement_whatever_their_systems(database: Database) -> None:
    for size in (5, 50):
        nodes = [{"ref": EntityRef(f"system:default/{number}"), "layer": "layer:default/low"} for number in range(size)]
        nodes += [{"ref": component(number), "system": f"system:default/{number}"} for number in range(size)]
        write(database, nodes)
        with database.reading() as connection, counted(database) as seen:
            found = graph.nodes(connection, default_layers={})

        assert {node.layer for node in found.values()} == {"layer:default/low"}
        assert len(seen) == 1


def test_a_relation_that_both_sides_declare_is_read_once(database: Database) -> None:
    a, b = component("a"), component("b")
    write(database, [], [Relation(a, "dependsOn", b)])
    with database.writing() as connection:
        insert_edges(connection, [(a, "dependsOn", b, True)])

    with database.reading() as connection:
        assert graph.relations_from(connection, [a, b], types=["dependsOn"]) == {Relation(a, "dependsOn", b)}
        assert graph.targets_by_source(connection, types=["dependsOn"]) == {"dependsOn": {a: [b]}}


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 10_000, "'; DROP TABLE entities; --"])
def test_a_name_that_nothing_can_have_leads_nowhere(name: str, database: Database) -> None:
    with database.reading() as connection:
        assert graph.nodes(connection, refs=[component(name)], default_layers=DEFAULTS) == {}
        assert list(graph.steps_from(connection, [component(name)], types=["dependsOn"])) == []
