from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from catalogs import component, documents, entity, group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portals import Catalog
from repositories import MakeRepository, Repository

from portal.defaults.kinds import all_kinds
from portal.errors import InputError, NotFoundError
from portal.model.moment import Moment
from portal.model.ref import EntityRef
from portal.services.accountability import AccountabilityService
from portal.services.kinds import KindsService
from portal.services.ownership import OwnershipService
from portal.services.past import PastOrganisations
from portal.store.database import Database

PORTAL = "portal/v1alpha1"
A = EntityRef("component:default/a")
DATA = EntityRef("group:default/data")
RULES = documents(
    entity("Role", "builder", "layers: [low]", version=PORTAL),
    entity(
        "Layer", "low", "rank: 1, owner: data, ownerRoles: [builder], stewards: [{duty: checks, role: builder}]",
        version=PORTAL,
    ),
    entity("Layer", "high", "rank: 2, owner: data, ownerRoles: [builder]", version=PORTAL),
)  # fmt: skip


def services(database: Database) -> tuple[AccountabilityService, OwnershipService, PastOrganisations]:
    kinds = KindsService(database, all_kinds())
    ownership = OwnershipService(database, kinds)
    past = PastOrganisations(kinds, ownership.facts_reader)
    return AccountabilityService(database, ownership, past), ownership, past


def told(answer: Any) -> dict[str, Any]:
    """Return an answer without what is not known of the past, and what is only said of it."""
    found: dict[str, Any] = answer.to_json()
    return {name: value for name, value in found.items() if name not in {"problems", "at", "notKnown"}}


def test_the_organisation_is_told_as_it_was(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo(
        {
            "catalog-info.yaml": documents(
                group("data"), group("watch", more="parent: data"), entity("User", "ada", "memberOf: [data]"),
                component("a", owner="data", more="contributors: [ada]"), component("b", owner="watch"),
            )
        }
    )  # fmt: skip
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": documents(group("data"), group("new"), component("a", owner="new"))})
    catalog.service.refresh()
    answers, _, _ = services(catalog.database)
    then = Moment(revision=1)

    before, now = answers.of_entity(A, at=then), answers.of_entity(A)
    portfolio = answers.portfolio(DATA, at=then)

    assert (before.owner, now.owner) == (DATA, "group:default/new")
    assert [who.ref for who in before.people] == ["user:default/ada"]
    assert [item.who for item in before.contributors] == ["user:default/ada"]
    assert [node.ref for node in portfolio.items] == [A, "component:default/b"]
    assert answers.portfolio(DATA).total == 0
    assert before.as_of is not None
    assert before.to_json()["at"]["revision"] == 1
    assert "problems" in before.to_json()["notKnown"]
    assert "at" not in now.to_json()


def test_what_was_not_there_says_when_it_was(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": group("data")})
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": documents(group("data"), component("a", owner="data"))})
    catalog.service.refresh()
    answers, _, _ = services(catalog.database)

    with pytest.raises(NotFoundError, match=r"not in the catalog at revision 1; it was there from .*revision 2"):
        answers.of_entity(A, at=Moment(revision=1))
    with pytest.raises(NotFoundError, match="has never been in the catalog"):
        answers.portfolio(EntityRef("group:default/x\0"), at=Moment(revision=1))


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        (Moment(revision=9), "There is no revision 9 yet"),
        (Moment(time_ms=10**14), "yet to come"),
        (Moment(revision=0), "knows nothing of revision 0: its first revision is 1"),
        (Moment(time_ms=0), "knows nothing of 1970-01-01T00:00:00.000Z"),
    ],
)
def test_a_moment_that_nothing_is_known_of_is_refused(
    moment: Moment, message: str, catalog: Catalog, repo: MakeRepository
) -> None:
    catalog.ingest(repo({"catalog-info.yaml": component("a")}).url)
    answers, _, _ = services(catalog.database)

    with pytest.raises(InputError, match=message):
        answers.of_entity(A, at=moment)


def test_a_catalog_without_anything_has_no_past(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="nothing is in the catalog yet"):
        services(catalog.database)[0].of_entity(A, at=Moment(time_ms=1))


def test_a_past_is_rebuilt_once_and_shares_what_did_not_change(catalog: Catalog, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": documents(group("data"), component("a"), component("b"))})
    catalog.ingest(made.url)
    made.commit({"catalog-info.yaml": documents(group("data"), component("a"), component("b", owner="data"))})
    catalog.service.refresh()
    _, _, past = services(catalog.database)
    with catalog.database.reading() as connection:
        first = past.seen_by(connection, Moment(revision=1)).organisation
        second = past.seen_by(connection, Moment(revision=2)).organisation
        again = past.seen_by(connection, Moment(revision=1)).organisation

    assert again is first
    assert second.told[A] is first.told[A]
    b = EntityRef("component:default/b")
    assert (first.told[b].owner, second.told[b].owner) == ("group:default/team-a", "group:default/data")


GROUPS, ASSETS = ("data", "watch", "new"), ("a", "b", "c")
#: What one state of the catalog says: groups with parent and role, assets with owner, system, layer, need.
_name = st.sampled_from(GROUPS)
_groups = st.dictionaries(_name, st.tuples(st.none() | _name, st.booleans()), max_size=3)
_assets = st.dictionaries(
    st.sampled_from(ASSETS),
    st.tuples(_name, st.booleans(), st.sampled_from(["", "low", "high", "odd"]), st.none() | st.sampled_from(ASSETS)),
    max_size=3,
)
_system = st.none() | st.tuples(_name, st.sampled_from(["", "low"]), st.booleans())
_states = st.lists(st.tuples(_groups, _assets, _system, st.booleans()), min_size=2, max_size=4)


def written(state: tuple[Mapping[str, Any], Mapping[str, Any], Any, bool]) -> str:
    """Return the file of one state."""
    groups, assets, system, has_rules = state
    texts = [RULES] if has_rules else []
    for name, (parent, is_builder) in groups.items():
        more = [f"parent: {parent}"] if parent else []
        texts.append(group(name, more=", ".join([*more, *(["roles: [builder]"] if is_builder else [])])))
    texts.append(entity("User", "ada", f"memberOf: [{next(iter(groups), 'nobody')}]"))
    for name, (owner, in_system, layer, need) in assets.items():
        more = [f"layer: {layer}"] if layer else []
        more += ["system: store"] if in_system else ["contributors: [ada]"]
        more += [f"dependsOn: ['component:{need}']", f"stewards: [{{ref: {owner}, duty: checks}}]"] if need else []
        texts.append(component(name, owner=owner, more=", ".join(more)))
    if system is not None:
        owner, layer, in_domain = system
        more = (f", layer: {layer}" if layer else "") + (", domain: shop" if in_domain else "")
        texts.append(entity("System", "store", f"owner: {owner}, stewards: [{{ref: ada, duty: pager}}]{more}"))
        texts.append(entity("Domain", "shop", f"owner: {owner}, layer: high"))
    return documents(*texts)


@given(states=_states)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
def test_the_past_is_what_was_told_when_it_was_the_present(
    catalog: Catalog, tmp_path: Path, states: list[tuple[Any, Any, Any, bool]]
) -> None:
    made = Repository(tmp_path / "states")
    answers, ownership, past = services(catalog.database)
    seen: dict[int, dict[tuple[str, str], Any]] = {}
    for place, state in enumerate(states):
        made.commit({"catalog-info.yaml": written(state)})
        catalog.service.refresh() if place else catalog.ingest(made.url)
        revision = catalog.past.changes(0, limit=1).revision
        seen[revision] = answered(answers, catalog, None) | {("", "findings"): ownership.findings()}
    catalog.service.remove([source.id for source in catalog.sources.list()])
    shutil.rmtree(made.path)

    for revision, expected in seen.items():
        then = Moment(revision=revision)
        with catalog.database.reading() as connection:
            seen_then = past.seen_by(connection, then)
            organisation = seen_then.organisation
            findings = organisation.findings(seen_then.documents_of)
        refs = [ref for ref, question in expected if question == "entity"]
        found = answered(answers, catalog, then, refs=refs) | {("", "findings"): findings}
        assert found == expected
        assert [ref for ref in organisation.nodes if ref.kind != "location"] == refs


def answered(
    answers: AccountabilityService, catalog: Catalog, at: Moment | None, *, refs: list[str] | None = None
) -> dict[tuple[str, str], Any]:
    """Return the answers about all entities, by reference and question."""
    found: dict[tuple[str, str], Any] = {}
    for ref in catalog.refs() if refs is None else refs:
        if not ref.startswith("location:"):
            found[ref, "entity"] = told(answers.of_entity(EntityRef(ref), at=at))
            if ref.startswith(("group:", "user:")):
                found[ref, "portfolio"] = told(answers.portfolio(EntityRef(ref), at=at))
    return found
