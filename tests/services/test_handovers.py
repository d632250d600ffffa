from __future__ import annotations

from collections.abc import Mapping

import pytest
from catalogs import component, documents, entity, group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portals import Catalog
from repositories import MakeRepository, Repository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.model.moment import Moment
from portal.model.ref import EntityRef
from portal.services.handovers import Handovers, HandoversService
from portal.services.kinds import KindsService

A = EntityRef("component:default/a")
DATA, WATCH = EntityRef("group:default/data"), EntityRef("group:default/watch")
GROUPS = documents(group("data"), group("watch"))


@pytest.fixture
def handovers(catalog: Catalog) -> HandoversService:
    return HandoversService(catalog.database, KindsService(catalog.database, all_kinds()))


@pytest.fixture
def made(catalog: Catalog, repo: MakeRepository) -> Repository:
    """A repository whose asset changed hands, layer and stewards, went, and came back: revisions 1 to 5."""
    steps = [
        component("a", owner="data"),
        component("a", owner="Watch"),
        component("a", owner="watch", more="layer: low, stewards: [{ref: data, duty: checks}]"),
        component("b", owner="data"),
        component("a", owner="data"),
    ]
    made = repo({"catalog-info.yaml": GROUPS, "a.yaml": steps[0]})
    catalog.ingest(f"{made.url}#main:*.yaml")
    for text in steps[1:]:
        made.commit({"a.yaml": text})
        catalog.service.refresh()
    return made


@pytest.mark.usefixtures("made")
def test_an_asset_has_periods_with_commits(handovers: HandoversService, made: Repository) -> None:
    found = handovers.history(A)

    assert found.total == 4
    told = [
        (
            item.said.owner,
            item.said.layer,
            item.said.stewards,
            item.changed,
            item.since.revision,
            item.until and (item.until.revision, item.until.change),
        )
        for item in found.periods
    ]
    low, stewards = "layer:default/low", ((DATA, "checks"),)
    assert told == [
        (DATA, None, (), (), 5, None),
        (WATCH, low, stewards, ("layer", "stewards"), 3, (4, "removed")),
        (WATCH, None, (), ("owner",), 2, (3, "changed")),
        (DATA, None, (), (), 1, (2, "changed")),
    ]
    assert found.periods[0].since.commit == made.git("rev-parse", "HEAD")
    assert found.periods[0].since.author
    assert handovers.history(A, limit=1, offset=2).periods == found.periods[2:3]


@pytest.mark.usefixtures("made")
def test_a_group_has_what_it_gained_and_lost(handovers: HandoversService) -> None:
    found = handovers.history(DATA)

    moves = [(move.is_gain, move.version.ref.name, move.other, move.version.revision) for move in found.moves]
    assert sorted(moves, key=lambda move: (-move[3], move[1])) == [
        (True, "a", None, 5),
        (False, "b", None, 5),
        (True, "b", None, 4),
        (False, "a", WATCH, 2),
        (True, "a", None, 1),
    ]
    assert [move[3] for move in moves] == [5, 5, 4, 2, 1]
    assert found.total == 5
    assert [(move.is_gain, move.other) for move in handovers.history(WATCH).moves] == [(False, None), (True, DATA)]


@pytest.mark.usefixtures("made")
def test_what_never_was_has_no_history(handovers: HandoversService) -> None:
    for ref in ("component:default/none", "group:default/none", "group:default/x\0", "group:default/%"):
        with pytest.raises(NotFoundError, match="has never been in the catalog"):
            handovers.history(EntityRef(ref))


@pytest.mark.usefixtures("made")
def test_what_changed_hands_is_told_with_the_commit(handovers: HandoversService) -> None:
    def told(found: Handovers) -> list[tuple[str, str, str | None, str | None, int]]:
        return [
            (item.ref.name, item.change, item.before and item.before.name, item.after and item.after.name,
             item.version.revision)
            for item in found.items
        ]  # fmt: skip

    one, three, four = (Moment(revision=number) for number in (1, 3, 4))

    assert told(handovers.between(one, three)) == [("a", "handed-over", "data", "watch", 2)]
    assert told(handovers.between(three, four)) == [("a", "went", "watch", None, 4), ("b", "came", None, "data", 4)]
    assert told(handovers.between(three)) == [("a", "handed-over", "watch", "data", 5)]
    # It was away and is whose it was.
    assert told(handovers.between(one)) == []
    assert told(handovers.between(Moment(revision=0), one)) == [("a", "came", None, "data", 1)]
    assert handovers.between(three, four).counts == {"handed-over": 0, "came": 1, "went": 1}
    assert [item.layer for item in handovers.between(three, four).items] == ["layer:default/low", None]
    for chosen in (
        {"owner": WATCH},
        {"layer": EntityRef("layer:default/low")},
        {"limit": 1},
    ):
        assert told(handovers.between(three, four, **chosen)) == [("a", "went", "watch", None, 4)]
    assert told(handovers.between(three, four, kinds=["group"])) == []
    assert told(handovers.between(three, four, kinds=["group", "component"], offset=1))[0][0] == "b"


@pytest.mark.usefixtures("made")
def test_moments_in_the_wrong_order_are_refused(handovers: HandoversService) -> None:
    with pytest.raises(InputError, match="revision 3 is later than revision 1"):
        handovers.between(Moment(revision=3), Moment(revision=1))
    with pytest.raises(InputError, match="There is no revision 9 yet"):
        handovers.between(Moment(revision=1), Moment(revision=9))


def test_a_layer_is_the_effective_one_of_its_time(
    catalog: Catalog, repo: MakeRepository, handovers: HandoversService
) -> None:
    parts = documents(
        entity("System", "store", "owner: data, domain: shop"), entity("Domain", "shop", "owner: data, layer: low")
    )
    made = repo({"catalog-info.yaml": documents(GROUPS, parts, component("a", owner="data", more="system: store"))})
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": GROUPS})
    catalog.service.refresh()

    found = handovers.between(Moment(revision=1))

    assert {(item.ref.name, item.layer) for item in found.items} == {
        ("a", "layer:default/low"),
        ("store", "layer:default/low"),
        ("shop", "layer:default/low"),
    }


def test_the_statements_of_an_answer_do_not_grow_with_the_catalog(
    catalog: Catalog, repo: MakeRepository, handovers: HandoversService
) -> None:
    made = repo({"catalog-info.yaml": GROUPS, "more.yaml": component("m0", owner="data")})
    catalog.ingest(f"{made.url}#main:*.yaml")
    counts = []
    for many in (2, 40):
        made.commit({"more.yaml": documents(*(component(f"m{number}", owner="watch") for number in range(many)))})
        catalog.service.refresh()
        seen: list[str] = []

        def note(connection, cursor, statement, parameters, context, executemany, seen=seen) -> None:
            seen.append(statement)

        event.listen(catalog.database.engine, "before_cursor_execute", note)
        handovers.between(Moment(revision=1))
        handovers.history(WATCH)
        event.remove(catalog.database.engine, "before_cursor_execute", note)
        counts.append(len(seen))

    assert counts[0] == counts[1]


_states = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["data", "watch", "new"]), max_size=3),
    min_size=2,
    max_size=5,
)


@given(states=_states)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
def test_handovers_are_the_differences_of_two_states(
    catalog: Catalog,
    handovers: HandoversService,
    tmp_path_factory: pytest.TempPathFactory,
    states: list[Mapping[str, str]],
) -> None:
    made = Repository(tmp_path_factory.mktemp("states") / "r")
    seen: list[tuple[int, Mapping[str, str]]] = []
    for place, state in enumerate(states):
        made.commit(
            {"catalog-info.yaml": documents(GROUPS, *(component(name, owner=owner) for name, owner in state.items()))}
        )
        catalog.service.refresh() if place else catalog.ingest(made.url)
        seen.append((catalog.past.changes(0, limit=1).revision, state))
    catalog.service.remove([source.id for source in catalog.sources.list()])

    for number, (first, old) in enumerate(seen):
        for last, new in seen[number:]:
            found = handovers.between(Moment(revision=first), Moment(revision=last))
            told = {
                item.ref.name: (item.before and item.before.name, item.after and item.after.name)
                for item in found.items
            }
            assert told == {
                name: (old.get(name), new.get(name)) for name in {*old, *new} if old.get(name) != new.get(name)
            }
            assert all(first < item.version.revision <= last for item in found.items)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", ["group:default/nobody", "group:default/data\0"])
def test_of_whom_nothing_was_ever_known_nothing_changed_hands(handovers: HandoversService, name: str) -> None:
    with pytest.raises(NotFoundError, match="has never been in the catalog"):
        handovers.between(Moment(revision=1), owner=EntityRef(name))
