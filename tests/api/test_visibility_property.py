"""Whoever may read some entities is answered as by a Portal that holds only these."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from catalogs import entity
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from readers import labelled, let_read, of_kinds, owned_by

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.model.leaves import leaves
from portal.model.permission import Conditional, Criteria, EveryOf, NoneOf, SomeOf
from portal.model.permission_rules import entity_filter

pytestmark = pytest.mark.slow

NAMES = [f"e{number}" for number in range(8)]
KINDS = ["component", "group", "system", "dataset", "user", "layer", "project"]

_VARYING = re.compile(
    rb'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"etag":"[0-9a-f]+"'
    rb'|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z| UTC|)|"line":[0-9]+|"rank":[0-9]+|:[0-9]+:[0-9]+|yaml:[0-9]+'
    rb'|"csrf.token" (value|content)="[^"]+"|(just now|[0-9]+ (second|minute)s? ago)|[0-9.]+ s each'
    rb"|portal_revision_timestamp_seconds [0-9.e+]+|\\?\"after\\?\":[0-9]+"
)


@st.composite
def catalogs(draw: st.DrawFn) -> dict[str, str]:
    """Return YAML documents by reference: any entity may name any other, there or not."""
    kinds = {name: draw(st.sampled_from(KINDS)) for name in NAMES}
    by_kind = {kind: [name for name in NAMES if kinds[name] == kind] for kind in KINDS}

    def some(kind: str) -> list[str]:
        return draw(st.lists(st.sampled_from([*by_kind[kind], "gone"]), max_size=2, unique=True))

    def maybe(field: str, kind: str) -> str:
        found = some(kind)
        return f", {field}: {kind}:default/{found[0]}" if found else ""

    def owner() -> str:
        return f"group:default/{draw(st.sampled_from([*by_kind['group'], 'gone']))}"

    found: dict[str, str] = {}
    for name, kind in kinds.items():
        match kind:
            case "component":
                needs = [f"component:default/{other}" for other in some("component")]
                needs += [f"dataset:default/{other}" for other in some("dataset")]
                spec = f"type: service, lifecycle: x, owner: {owner()}, dependsOn: {needs}{maybe('system', 'system')}"
            case "group":
                spec = f"type: team, children: []{maybe('parent', 'group')}"
            case "system":
                spec = f"owner: {owner()}{maybe('layer', 'layer')}"
            case "dataset":
                spec = f"type: table, owner: {owner()}, derivedFrom: {some('dataset')}{maybe('layer', 'layer')}"
            case "user":
                spec = f"memberOf: {some('group')}"
            case "project":
                spec = f"lifecycle: x, owner: {owner()}, needs: {some('user')}{maybe('layer', 'layer')}"
            case _:
                spec = f"rank: {draw(st.integers(1, 3))}, owner: {owner()}, ownerRoles: [maker]"
        version = "portal/v1alpha1" if kind in {"dataset", "layer", "project"} else "backstage.io/v1alpha1"
        tier = draw(st.sampled_from(["open", "closed"]))
        text = entity(kind.capitalize(), name, spec, version=version)
        found[f"{kind}:default/{name}"] = text.replace(
            f"{{name: {name}}}", f"{{name: {name}, labels: {{tier: {tier}}}}}"
        )
    return found


def _conditions() -> st.SearchStrategy[Criteria]:
    single = st.one_of(
        st.lists(st.sampled_from(KINDS), min_size=1, max_size=4, unique=True).map(lambda kinds: of_kinds(*kinds)),
        st.sampled_from(["open", "closed"]).map(lambda tier: labelled("tier", tier)),
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(
            lambda names: owned_by(*(f"group:default/{name}" for name in names))
        ),
    )
    return st.recursive(
        single,
        lambda inner: st.one_of(
            inner.map(NoneOf),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: EveryOf(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: SomeOf(tuple(parts))),
        ),
        max_leaves=4,
    )


@contextmanager
def _portal(folder: Path) -> Iterator[Portal]:
    with build(load_settings(environment={}, overrides={"data": str(folder)})) as portal:
        portal.migrate()
        yield portal


def _questions(refs: list[str]) -> list[str]:
    """Return what is asked: every read that has an answer of its own, about each entity where it is about one."""
    catalog, ownership = "/api/catalog", "/api/ownership"
    found = [
        f"{catalog}/entities",
        f"{catalog}/entities?filter=metadata.labels.tier=closed",
        f"{catalog}/entities/by-query?limit=2&orderField=metadata.name,desc",
        f"{catalog}/entities/by-query?limit=3&fullTextFilterTerm=e1",
        f"{catalog}/entities/by-query?limit=0",
        f"{catalog}/entity-facets?facet=kind&facet=metadata.labels.tier&facet=relations.ownedby&facet=spec.owner",
        f"{catalog}/entity-facets?facet=metadata.name&facet=relations.dependencyof&filter=kind=component",
        f"{catalog}/entity-facets?facet=relations.ownerof&filter=relations.ownerof",
        f"{catalog}/changes",
        f"{catalog}/kinds",
        f"{catalog}/locations",
        "/api/search/query?term=e",
        "/api/search/query?filters[owner]=group:default/e1&term=",
        f"{ownership}/impact?since=revision:0",
        f"{ownership}/layers",
        f"{ownership}/layers?at=revision:1",
        f"{ownership}/problems",
        f"{ownership}/problems/badge.svg",
        f"{ownership}/handovers?from=revision:0",
        f"{ownership}/drift",
        f"{ownership}/rules",
        "/metrics",
        "/",
        "/kinds",
        "/catalog",
        "/catalog?q=e1",
        "/catalog?kind=component&sort=-owner&wide=owner",
        "/catalog?layer=none&owner=none",
        "/catalog.csv",
        "/search?q=e",
        "/search?q=e1&kind=component",
        "/owners",
        "/owners?view=people",
        "/owners?q=e1",
        "/projects",
        "/layers",
        "/problems",
        "/problems?kind=component",
        "/graph",
        "/create",
        "/create/upgrades",
        "/register",
        "/tools",
    ]
    for ref in refs:
        kind, _, rest = ref.partition(":")
        place = f"{kind}/{rest}"
        named = f"{catalog}/entities/by-name/{place}"
        found += [
            named,
            f"{named}?at=revision:1",
            f"{named}/ancestry",
            f"{named}/history",
            f"{catalog}/entities?filter=relations.dependencyof={quote(ref)}",
            f"{ownership}/entity/{place}",
            f"{ownership}/entity/{place}?at=revision:1",
            f"{ownership}/portfolio/{place}",
            f"{ownership}/portfolio/{place}?at=revision:1",
            f"{ownership}/impact/{place}?removed=true",
            f"{ownership}/graph?root={quote(ref)}&depth=3",
            f"{ownership}/graph?root={quote(ref)}&depth=2&format=dot",
            f"{ownership}/lineage/{place}",
            f"{ownership}/balance/{place}",
            f"{ownership}/history/{place}",
            f"{ownership}/badge/{place}.svg",
            *_pages(ref, kind, ref.partition("/")[2]),
        ]
    return found


def _pages(ref: str, kind: str, name: str) -> list[str]:
    """Return the addresses of the pages about an entity."""
    return [
        f"/catalog/default/{kind}/{name}",
        f"/catalog/default/{kind}/{name}/history",
        f"/catalog/default/{kind}/{name}/remove",
        f"/catalog?owner={quote(ref)}",
        f"/catalog?layer={quote(ref)}&wide=layer",
        f"/graph?root={quote(ref)}&depth=3",
        f"/layers/default/{name}",
        f"/owners/{kind}/default/{name}",
        f"/owners/{kind}/default/{name}?scope=itself&moves=1&drift=1",
        f"/owners?root={quote(ref)}",
        f"/problems?owner={quote(ref)}",
        f"/problems?layer={quote(ref)}",
        f"/projects/default/{name}",
    ]


_OF_THE_CATALOG = (b"portal_problems", b"portal_owner", b"portal_entities", b"portal_layer")


def _told(client: FlaskClient, question: str) -> tuple[int, Any]:
    """Return an answer without what two Portals with the same entities do not have in common."""
    response = client.get(question)
    content = _VARYING.sub(b"~", response.data)
    if question.startswith("/api/search"):
        # How rare a word is says which comes first.
        return response.status_code, sorted(re.split(rb'(?=\{"type":"software-catalog")', content))
    if question == "/metrics":
        # The others are of this process, its sources, its tasks.
        return response.status_code, [line for line in content.splitlines() if line.startswith(_OF_THE_CATALOG)]
    return response.status_code, content


def _difference(question: str, told: tuple[int, Any], expected: tuple[int, Any]) -> str:
    """Return where two answers begin to differ; empty where they do not."""
    if told == expected:
        return ""
    one, two = repr(told), repr(expected)
    at = next((place for place, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), len(two))
    return f"{question}\n  told:     {one[max(0, at - 150) : at + 250]}\n  expected: {two[max(0, at - 150) : at + 250]}"


def _walked(client: FlaskClient) -> list[str]:
    """Return all names that a walk through the pages of a list tells, with the total of each page."""
    found: list[str] = []
    place = "limit=2"
    while place:
        page = client.get(f"/api/catalog/entities/by-query?{place}").json
        found += [str(page["totalItems"]), *(item["metadata"]["name"] for item in page["items"])]
        following = page["pageInfo"].get("nextCursor")
        place = f"limit=2&cursor={quote(following)}" if following else ""
    return found


# An example takes a second: what fails is told as it was found.
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(catalogs(), _conditions())
def test_every_answer_is_that_of_a_portal_that_holds_only_what_may_be_read(
    texts: dict[str, str], criteria: Criteria
) -> None:
    # The Location that stands for the file is there in both.
    wanted = SomeOf((of_kinds("location"), criteria))
    meant = entity_filter(wanted)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "catalog-info.yaml"
        file.write_text("---\n".join(texts.values()))
        with _portal(folder / "all") as every:
            every.ingest([("file", str(file))])
            everybody, readable = create_app(every).test_client(), {}
            for ref, text in texts.items():
                kind, _, rest = ref.partition(":")
                found = everybody.get(f"/api/catalog/entities/by-name/{kind}/{rest}")
                if found.status_code == 200 and meant.matches(leaves(found.json)):
                    readable[ref] = text
            let_read(every, lambda *_: Conditional(wanted))
            file.write_text("---\n".join(readable.values()))
            with _portal(folder / "some") as some:
                some.ingest([("file", str(file))])
                restricted, smaller = create_app(every).test_client(), create_app(some).test_client()
                # Both have the revision 1, whatever is in it: an empty file brings its Location.
                differing = [
                    found
                    for question in _questions(list(texts))
                    if (found := _difference(question, _told(restricted, question), _told(smaller, question)))
                ]
                assert not differing, "\n".join(differing)
                assert _walked(restricted) == _walked(smaller)
