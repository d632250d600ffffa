"""A form offers those owners alone who may own what its template makes, and that the person may create for."""

from __future__ import annotations

import pytest
from catalogs import documents, entity
from sqlalchemy import event
from worlds import PORTAL_VERSION, world

PICKER = "{type: string, title: Owner, 'ui:field': OwnerPicker}"
FORM = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: {name}}}
spec:
  type: service
  owner: team
  creates: {creates}
  parameters:
    - {{title: First, properties: {{name: {{type: string}}}}}}
    - title: Second
      {page}
  steps: [{{id: say, action: debug:log, input: {{message: hello}}}}]
"""


def form(name, page, creates="[{kind: Component, layer: workshop}]"):
    return FORM.format(name=name, page=page, creates=creates)


TEMPLATES = (
    form("plain", f"properties: {{owner: {PICKER}}}"),
    form(
        "groups",
        "properties: {owner: {type: string, 'ui:field': OwnerPicker, 'ui:options': {catalogFilter: {kind: Group}}}}",
    ),
    form("typed", "properties: {owner: {'ui:field': OwnerPicker, 'ui:options': {catalogFilter: {spec.type: squad}}}}"),
    form("mine", "properties: {team: {type: string, 'ui:field': MyGroupsPicker, description: Yours}}"),
    form("entity", "properties: {owner: {type: string, 'ui:field': EntityPicker}, other: {'ui:field': EntityPicker}}"),
    form("preset", "properties: {owner: {type: string, 'ui:field': OwnerPicker, default: 'group:default/others'}}"),
    form(
        "conditional",
        "properties: {kind: {enum: [a, b]}}\n"
        f"      allOf: [{{if: {{properties: {{kind: {{const: a}}}}}}, then: {{properties: {{owner: {PICKER}}}}}}}]\n"
        f"      dependencies: {{kind: {{oneOf: [{{properties: {{kind: {{enum: [b]}}, owner: {PICKER}}}}}]}}}}",
    ),
    form(
        "everywhere",
        f"properties: {{owner: {PICKER}}}",
        "[{kind: Component, layer: workshop}, {kind: API, layer: backbone}]",
    ),
    form(
        "later",
        f"properties: {{owner: {PICKER}, layer: {{}}}}",
        "[{kind: Component, layer: '${{ parameters.layer }}'}]",
    ),
    form("usual", f"properties: {{owner: {PICKER}}}", "[{kind: Dataset}]"),
    form("nothing", f"properties: {{owner: {PICKER}}}", "[]"),
)
EXTRA = documents(
    entity("Role", "maker", "layers: [workshop]", version=PORTAL_VERSION),
    entity("Layer", "workshop", "rank: 2, owner: platform, ownerRoles: [maker]", version=PORTAL_VERSION),
    entity("Layer", "shared", "rank: 2, owner: platform, ownerRoles: [security]", version=PORTAL_VERSION),
    entity("Policy", "roles", "owner: platform, rule: portal/owner-role, severity: enforce", version=PORTAL_VERSION),
    entity("Group", "makers", "type: team, children: [], roles: [maker]"),
    entity("Group", "juniors", "type: squad, parent: makers, children: []"),
    entity("User", "jo", "memberOf: [juniors, others]"),
    entity("User", "sid", "memberOf: [makers, security]"),
    *TEMPLATES,
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with world(tmp_path_factory.mktemp("choice"), extra=EXTRA) as found:
        found.portal.jobs.start(worker=False)
        yield found


@pytest.fixture
def fields(opened):
    """Return the properties of a form's second page, as somebody gets it."""

    def ask(template, who):
        path = f"/api/scaffolder/v2/templates/default/template/{template}/parameter-schema"
        headers = opened.as_user(who) if who else {}
        answer = opened.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        first, second = answer.json["steps"]
        assert first["schema"] == {"title": "First", "properties": {"name": {"type": "string"}}}
        return second["schema"]

    return ask


def offered(opened, field):
    """Return what the catalog shows a picker, as Backstage's client asks it."""
    filters = field["ui:options"]["catalogFilter"]
    texts = [
        ",".join(
            f"{key}={item}" for key, value in asked.items() for item in (value if isinstance(value, list) else [value])
        )
        for asked in filters
    ]
    found = opened.client.get(
        "/api/catalog/entities", query_string={"filter": texts}, headers=opened.as_user("admin")
    ).json
    return sorted(f"{item['kind'].lower()}:{item['metadata']['name']}" for item in found)


@pytest.mark.parametrize(
    ("template", "who", "owners"),
    [
        ("plain", "jo", ["group:juniors", "group:makers", "user:jo"]),
        ("groups", "jo", ["group:juniors", "group:makers"]),
        ("typed", "jo", ["group:juniors"]),
        ("plain", "sid", ["group:makers", "user:sid"]),
        ("everywhere", "sid", ["user:sid"]),
        ("usual", "sid", ["group:security", "user:sid"]),
        ("later", "sid", ["group:makers", "group:security", "user:sid"]),
        ("later", "jo", ["group:juniors", "group:makers", "user:jo"]),
        # An admin may create for everybody: who may own is left.
        ("groups", "admin", ["group:juniors", "group:makers"]),
        ("plain", "admin", ["group:juniors", "group:makers", "user:jo", "user:sid"]),
    ],
)
def test_a_picker_offers_who_may_own_and_whom_the_person_may_create_for(opened, fields, template, who, owners):
    field = fields(template, who)["properties"]["owner"]
    assert field["ui:field"] == "OwnerPicker"
    assert field["ui:options"]["allowArbitraryValues"] is False
    assert offered(opened, field) == owners
    for owner in owners:
        kind, _, name = owner.partition(":")
        body = {
            "templateRef": f"template:{template}",
            "values": {"owner": f"{kind}:default/{name}", "layer": "workshop"},
        }
        if template != "later":
            answer = opened.client.post("/api/scaffolder/v2/tasks", json=body, headers=opened.as_user(who))
            assert answer.status_code == 201, answer.text


def test_a_picker_of_the_persons_groups_becomes_one_of_owners(opened, fields):
    field = fields("mine", "jo")["properties"]["team"]
    assert field["ui:field"] == "OwnerPicker"
    assert field["description"] == "Yours"
    assert offered(opened, field) == ["group:juniors"]


def test_a_picker_of_entities_is_narrowed_where_it_asks_for_the_owner(opened, fields):
    found = fields("entity", "jo")["properties"]
    assert offered(opened, found["owner"]) == ["group:juniors", "group:makers", "user:jo"]
    assert found["other"] == {"ui:field": "EntityPicker"}


def test_fields_of_conditions_are_narrowed_as_well(opened, fields):
    page = fields("conditional", "jo")
    for part in (page["allOf"][0]["then"], page["dependencies"]["kind"]["oneOf"][0]):
        assert offered(opened, part["properties"]["owner"]) == ["group:juniors", "group:makers", "user:jo"]
    assert page["allOf"][0]["if"] == {"properties": {"kind": {"const": "a"}}}


def test_an_owner_that_may_not_own_is_no_default(fields):
    assert "default" not in fields("preset", "jo")["properties"]["owner"]


@pytest.mark.parametrize(
    ("template", "who", "told"),
    [
        ("plain", "lone", ["You may create this for nobody", "user:default/lone", "workshop", "group:default/makers"]),
        ("plain", "member", ["group:default/others", "holds no role that may own in the layer workshop"]),
        ("typed", "sid", ["You may create this for group:default/makers, user:default/sid", "asks for others"]),
        ("everywhere", "jo", ["You may create this for nobody", "backbone"]),
        ("plain", "", ["You may create this for nobody: guests may only read here; sign in."]),
    ],
)
def test_who_may_create_for_nobody_is_told_so_in_words(opened, fields, template, who, told):
    field = fields(template, who)["properties"]["owner"]
    assert offered(opened, field) == []
    for text in told:
        assert text in field["description"]


def test_a_form_that_makes_nothing_is_left_as_it_is(fields):
    assert fields("nothing", "jo")["properties"]["owner"] == {
        "type": "string",
        "title": "Owner",
        "ui:field": "OwnerPicker",
    }


def test_a_form_takes_the_same_few_statements_for_any_number_of_owners(opened, fields):
    counts = {}
    engine = opened.portal.database.engine
    for template, who in (("plain", "sid"), ("plain", "jo"), ("nothing", "jo")) * 2:
        seen = []

        def note(_connection, _cursor, statement, *_rest, seen=seen):
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        fields(template, who)
        event.remove(engine, "before_cursor_execute", note)
        counts[template, who] = len(seen)
    assert counts["plain", "sid"] == counts["plain", "jo"] <= counts["nothing", "jo"] + 16, counts
