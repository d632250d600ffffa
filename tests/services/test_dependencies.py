from __future__ import annotations

import itertools
from collections.abc import Mapping

from catalogs import component, documents, entity
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.graph.impact import REACHED_TYPES, dependents
from portal.graph.reach import DependencyGraph
from portal.graph.walk import walk
from portal.model.ref import EntityRef
from portal.services.dependencies import Dependencies
from portal.store import dependencies, graph

few = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = [f"n{number}" for number in range(6)]
FIELDS = st.dictionaries(
    st.sampled_from(["dependsOn", "dependencyOf"]), st.sets(st.sampled_from([*NAMES, "gone"]), max_size=3), max_size=2
)
_NUMBERS = itertools.count()
#: A catalog: what each of the components that are there declares, itself, cycles, what is not there among it.
STATES = st.dictionaries(st.sampled_from(NAMES), FIELDS, min_size=1)


def written(state: Mapping[str, Mapping[str, set[str]]]) -> str:
    texts = [
        component(
            name,
            more=", ".join(
                f"{field}: [{', '.join(repr('component:' + other) for other in sorted(others))}]"
                for field, others in fields.items()
            ),
        )
        for name, fields in state.items()
    ]
    return documents(*texts, entity("Group", "team-a", "type: team, children: []"))


@few
@given(states=st.lists(STATES, min_size=2, max_size=4))
def test_impact_follows_refreshes_and_equals_a_walk_over_the_database(
    states, catalog: Catalog, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": written(states[0])}, name=f"r{next(_NUMBERS)}")
    catalog.ingest(made.url)
    impacts = catalog.impacts()
    held = Dependencies()
    for number, state in enumerate([*states, states[0]]):
        made.commit({"catalog-info.yaml": f"# {number}\n{written(state)}"})
        catalog.service.refresh()
        with catalog.database.reading() as connection:
            fresh = DependencyGraph.of(dependencies.all_steps(connection))
            assert held.seen_by(connection).steps() == fresh.steps()
            for name in state:
                ref = EntityRef(f"component:default/{name}")
                walked = walk(ref, lambda refs: graph.steps_from(connection, refs, types=REACHED_TYPES))
                found = impacts.of_entity(ref).reached
                assert [item for item, _ in found.dependents] == dependents(walked, ref)
                assert found.total == len(walked.distances) - 1
    catalog.service.remove([source.id for source in catalog.sources.list()])


def statements_of(catalog: Catalog, held: Dependencies) -> list[str]:
    seen: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany) -> None:
        seen.append(statement)

    with catalog.database.reading() as connection:
        event.listen(catalog.database.engine, "before_cursor_execute", note)
        found = held.seen_by(connection)
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        assert found.steps() == DependencyGraph.of(dependencies.all_steps(connection)).steps()
    return seen


def is_whole(statements: list[str]) -> bool:
    return any("FROM relations" in statement and "is_inverse" in statement.split("FROM")[0] for statement in statements)


def test_a_new_revision_is_followed_without_reading_everything(catalog: Catalog, repo: MakeRepository) -> None:
    held, few_at_once = Dependencies(), Dependencies(most_changed=1)
    files = {f"{name}.yaml": component(name, more="dependsOn: ['component:n0']") for name in NAMES}
    root = entity("Location", "all", f"targets: [{', '.join(f'./{name}' for name in files)}]")
    made = repo(files | {"catalog-info.yaml": root})
    catalog.ingest(made.url)
    assert is_whole(statements_of(catalog, held))
    assert is_whole(statements_of(catalog, few_at_once))

    made.commit({"n1.yaml": component("n1", more="dependsOn: ['component:n2']")})
    catalog.service.refresh()
    assert not is_whole(statements_of(catalog, held))
    assert statements_of(catalog, held)[1:] == []
    assert not is_whole(statements_of(catalog, few_at_once))

    made.commit({"n2.yaml": component("n2"), "n3.yaml": component("n3")})
    catalog.service.refresh()
    assert not is_whole(statements_of(catalog, held))
    assert is_whole(statements_of(catalog, few_at_once))


def robot_kind(relation: str, inverse: str) -> str:
    spec = (
        "owner: team-a, group: ml.example.com, version: v1, names: {kind: Robot}, "
        "schema: {type: object, properties: {servedBy: {type: array, items: {type: string}}}}, "
        f"relations: [{{field: servedBy, kind: Component, type: {relation}, inverse: {inverse}}}]"
    )
    return entity("KindDefinition", "robot", spec, version="portal/v1alpha1")


def test_relations_that_change_with_a_kind_alone_are_read_anew(catalog: Catalog, repo: MakeRepository) -> None:
    held = Dependencies()
    declaring = repo({"catalog-info.yaml": robot_kind("servedBy", "serves")}, name="kinds")
    robot = entity("Robot", "r", "owner: team-a, servedBy: [a]", version="ml.example.com/v1")
    using = repo({"catalog-info.yaml": documents(robot, component("a"))}, name="robots")
    assert catalog.ingest(declaring.url, using.url).problems == []
    statements_of(catalog, held)

    declaring.commit({"catalog-info.yaml": robot_kind("dependsOn", "dependencyOf")})
    catalog.service.refresh()
    assert len(catalog.history("robot:default/r")) == 1

    statements_of(catalog, held)
    with catalog.database.reading() as connection:
        assert len(held.seen_by(connection).steps()) == 1


def test_a_reader_of_an_older_revision_sees_what_was_then(catalog: Catalog, repo: MakeRepository) -> None:
    held = Dependencies()
    made = repo({"catalog-info.yaml": documents(component("a"), component("b", more="dependsOn: ['component:a']"))})
    catalog.ingest(made.url)
    with catalog.database.reading() as old:
        before = held.seen_by(old)
        made.commit({"catalog-info.yaml": documents(component("a"), component("b"))})
        catalog.service.refresh()
        with catalog.database.reading() as new:
            assert held.seen_by(new).steps() == []

        assert held.seen_by(old).steps() == before.steps() != []
