"""The catalog as a table: as the database has it, whatever has changed meanwhile, for whoever asks."""

from collections.abc import Mapping

import pytest
from catalogs import component, documents, entity, group
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import event

from portal.defaults.kinds import all_kinds
from portal.model.filter import Match
from portal.model.visibility import Visibility
from portal.services.columns import FACETS, NONE
from portal.services.kinds import KindsService
from portal.services.table import TableQuery, TableService
from portal.store.sight import seeing

LAYERS = documents(
    entity("Layer", "low", "rank: 1, owner: team-a, ownerRoles: [builder]", version="portal/v1alpha1"),
    entity("Layer", "high", "rank: 2, owner: team-a, ownerRoles: [maker]", version="portal/v1alpha1"),
)
FILES = {
    "catalog-info.yaml": documents(
        LAYERS,
        group("team-a"),
        entity("Domain", "sales", "owner: team-a, layer: low"),
        entity("System", "shop", "owner: team-a, domain: sales"),
        entity("System", "lab", "owner: team-a, layer: high"),
    ),
    "parts.yaml": documents(
        component("cart", more="system: shop"),
        component("Till", owner="team-b", more="system: shop, layer: high"),
        component("study", more="system: lab")
        .replace("service", "Library")
        .replace("{name: study}", "{name: study, tags: [ml, gpu]}"),
        component("loose", owner="user:ann"),
    ),
}


@pytest.fixture
def table(catalog: Catalog) -> TableService:
    return _table(catalog)


def _table(catalog: Catalog) -> TableService:
    return TableService(catalog.database, KindsService(catalog.database, all_kinds()))


def found(table: TableService, query: TableQuery) -> list[str]:
    view = table.view(query)
    return [
        entry.row.ref.partition("/")[2] for entry in view.entries(0, 1000) if not entry.row.ref.startswith("location:")
    ]


def chosen(**values: str) -> TableQuery:
    return TableQuery({facet: frozenset(text.split()) for facet, text in values.items()})


def everything(table: TableService) -> tuple[list[object], Mapping[str, Mapping[str, int]], list[int]]:
    """Return all that a table says, without what is worked out but once."""
    view = table.view(TableQuery(sort="owner", descending=True))
    return (
        list(view.columns.entries),
        {facet: dict(view.counts(facet)) for facet in FACETS},
        list(view.ordered),
    )


def test_entities_are_found_by_values_of_facets_in_their_effective_layer(
    catalog: Catalog, repo: MakeRepository, table: TableService
) -> None:
    catalog.ingest(f"{repo(FILES).url}#:*.yaml")

    assert found(table, chosen(kind="component")) == ["cart", "loose", "study", "till"]
    assert found(table, chosen(kind="component", layer="layer:default/low")) == ["cart"]
    assert found(table, chosen(kind="component", layer="layer:default/high layer:default/low")) == [
        "cart",
        "study",
        "till",
    ]
    assert found(table, chosen(kind="component", layer=NONE)) == ["loose"]
    assert found(table, chosen(tag="gpu")) == ["study"]
    assert found(table, chosen(type="library")) == ["study"]
    assert found(table, chosen(owner="group:default/team-b user:default/ann")) == ["loose", "till"]
    assert found(table, chosen(kind="nonsense")) == []
    assert found(table, TableQuery(text="til")) == ["till"]
    view = table.view(chosen(kind="component", layer="layer:default/low"))
    # Of a facet itself the others are counted too: they could be chosen besides.
    assert view.counts("layer") == {"layer:default/low": 1, "layer:default/high": 2, NONE: 1}
    assert view.counts("kind") == {"component": 1, "system": 1, "domain": 1}
    assert view.columns.name("type", "library") == "Library"


def test_what_has_changed_is_what_would_be_read_anew(
    catalog: Catalog, repo: MakeRepository, table: TableService
) -> None:
    made = repo(FILES)
    catalog.ingest(f"{made.url}#:*.yaml")
    everything(table)
    parts = FILES["parts.yaml"]
    steps = [
        {"parts.yaml": parts.replace("[ml, gpu]", "[zoo]").replace("Library", "notebook")},
        {"parts.yaml": parts.replace("owner: team-b", "owner: team-c")},
        {"more.yaml": component("another", more="system: lab")},
        {"more.yaml": None},
        # What others are follows from these: their layer.
        {"catalog-info.yaml": FILES["catalog-info.yaml"].replace("layer: low", "layer: high")},
        {"catalog-info.yaml": FILES["catalog-info.yaml"].replace("System", "Domain")},
    ]

    for files in steps:
        made.commit(files)
        catalog.service.refresh()
        assert everything(table) == everything(_table(catalog)), files


def test_whoever_may_read_less_is_shown_a_table_of_that(
    catalog: Catalog, repo: MakeRepository, table: TableService
) -> None:
    catalog.ingest(f"{repo(FILES).url}#:*.yaml")
    assert "cart" in found(table, TableQuery())

    with seeing(lambda revision=None, /: Visibility(Match.of("kind", ["component"]))):
        assert found(table, TableQuery()) == ["cart", "loose", "study", "till"]
        view = table.view(TableQuery(text="shop"))
        assert view.counts("kind") == {"component": 2}
        # The system is not there for them, nor is the layer that follows from it.
        assert view.columns.name("system", "system:default/shop") == "system:default/shop"
        assert table.view(chosen(layer="layer:default/low")).total == 0
    assert "shop" in found(table, TableQuery())


def test_a_table_of_twice_as_much_is_read_with_as_many_statements(
    catalog: Catalog, repo: MakeRepository, table: TableService
) -> None:
    made = repo(FILES)
    counts = []
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    catalog.ingest(f"{made.url}#:*.yaml")
    table.view(TableQuery())
    event.listen(catalog.database.engine, "before_cursor_execute", note)
    for number in range(2):
        made.commit({"more.yaml": documents(*(component(f"c{number}-{one}") for one in range(20 * (number + 1))))})
        catalog.service.refresh()
        for service in (_table(catalog), table):
            statements.clear()
            service.view(chosen(kind="component"))
            counts.append(len(statements))
    statements.clear()
    table.view(chosen(kind="component", owner="group:default/team-a"))
    event.remove(catalog.database.engine, "before_cursor_execute", note)

    assert counts[:2] == counts[2:]
    assert statements == []
