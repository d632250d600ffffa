"""Every route of Portal, asked by everybody; every command, run by the operator.

The table says what each route asks for. A route without a row fails, and so does a row without a route.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from repositories import Repository
from worlds import PEOPLE, World, world

from portal.api.rights import RIGHTS
from portal.cli.main import COMMANDS
from portal.model.ref import EntityRef
from portal.model.scopes import BUNDLES, permissions_of
from portal.services.tokens import Tokens
from portal.services.vault import Vault

#: Who has what a row may ask for. `nobody` sends no token, `guest` one of a guest, who may read here.
EVERYBODY = {*PEOPLE, "nobody", "guest", "service"}
READERS = EVERYBODY | {"catalog reader"}
MEMBERS = {*PEOPLE, "service"} - {"lone"}
OWNERS = {"owner", "deputy", "admin", "service"}
ADMINS = {"admin", "service"}
#: Who began the task that is asked for.
CREATORS = {"member", "admin", "service"}
#: The tokens that are no good, anywhere but where nobody's identity is looked at.
REFUSED = {"expired", "forged", "unsigned"}
ACTORS = sorted({*READERS, *REFUSED})

#: The tokens that are made for each scope, with whom they speak for.
KINDS = {"admin's token": "admin", "service token": "service"}

ENTITY = "component/default/thing"
TASK = "/api/scaffolder/v2/tasks/{task}"
SETTING = "/api/user-settings/buckets/default/keys"


@dataclass(frozen=True)
class Row:
    """A request, who may send it, the status that they get, and what `others` get where it is not the usual refusal."""

    method: str
    path: str
    may: set[str]
    status: int = 200
    body: Any = None
    others: Mapping[str, int] = field(default_factory=dict)


def opened(method: str, path: str, status: int = 200, body: Any = None) -> Row:
    """Return the row of a route that looks at nobody's identity, or decides itself."""
    return Row(method, path, {*READERS, *REFUSED}, status, body)


def reads(path: str, status: int = 200, *, method: str = "GET", body: Any = None) -> Row:
    """Return the row of a route that shows what may be read."""
    # A token for the catalog's plugin alone opens no other.
    may = READERS if path.startswith("/api/catalog") else EVERYBODY
    return Row(method, path, may, status, body)


def _form(path: str) -> Row:
    """Return the row of a form of a page that leads back to one; who has no session misses the form's token first.

    What stands behind the question mark sees to it that there is something to do it to.
    """
    return Row("POST", path, OWNERS, 303, others={"nobody": 403})


#: Where more than those whom a plugin's routes let in may end its cookie.
_ENDING = {"auth": {*READERS, *REFUSED}, "catalog": READERS}

ROWS = {
    "audit.records": Row("GET", "/api/audit", ADMINS),
    "auth.frame": opened("GET", "/api/auth/guest/handler/frame", 501),
    "auth.jwks": opened("GET", "/api/auth/.well-known/jwks.json"),
    "auth.logout": opened("POST", "/api/auth/guest/logout", 401),
    "auth.openid_configuration": opened("GET", "/api/auth/.well-known/openid-configuration"),
    "auth.refresh": opened("POST", "/api/auth/guest/refresh"),
    "auth.start": opened("GET", "/api/auth/guest/start", 501),
    "auth.userinfo": Row("GET", "/api/auth/v1/userinfo", {*PEOPLE, "guest"}, others={"service": 400}),
    "auth_unknown": opened("GET", "/api/auth/nonsense", 404),
    "catalog.add_location": Row("POST", "/api/catalog/locations", MEMBERS, 400, {"type": "odd", "target": "x"}),
    "catalog.analyze_location": Row(
        "POST", "/api/catalog/analyze-location", MEMBERS, 400, {"location": {"type": "odd", "target": "x"}}
    ),
    "catalog.ancestry": reads(f"/api/catalog/entities/by-name/{ENTITY}/ancestry"),
    "catalog.by_name": reads(f"/api/catalog/entities/by-name/{ENTITY}"),
    "catalog.by_predicate": reads("/api/catalog/entities/by-query", method="POST", body={}),
    "catalog.by_query": reads("/api/catalog/entities/by-query"),
    "catalog.by_refs": reads("/api/catalog/entities/by-refs", method="POST", body={"entityRefs": []}),
    "catalog.by_uid": reads("/api/catalog/entities/by-uid/{uid}"),
    "catalog.delete_entity": Row("DELETE", "/api/catalog/entities/by-uid/{uid}", OWNERS, 204),
    "catalog.delete_location": Row("DELETE", "/api/catalog/locations/{location}", OWNERS, 204),
    "catalog.entities": reads("/api/catalog/entities"),
    "catalog.facets": reads("/api/catalog/entity-facets?facet=kind"),
    "catalog.facets_by_predicate": reads("/api/catalog/entity-facets", method="POST", body={"facets": ["kind"]}),
    "catalog.get_location": reads("/api/catalog/locations/{location}"),
    "catalog.list_locations": reads("/api/catalog/locations"),
    "catalog.location_of_entity": reads("/api/catalog/locations/by-entity/component/default/brought"),
    "catalog.query_locations": reads("/api/catalog/locations/by-query", method="POST", body={}),
    "catalog.refresh": Row("POST", "/api/catalog/refresh", OWNERS, 200, {"entityRef": "component:default/thing"}),
    "catalog.update_location": Row(
        "PUT", "/api/catalog/locations/{location}", OWNERS, 400, {"type": "odd", "target": "x"}
    ),
    "catalog.validate_entity": Row(
        "POST",
        "/api/catalog/validate-entity",
        EVERYBODY,
        400,
        {"entity": {}, "location": "url:https://example.com/x.yaml"},
    ),
    "catalog_permission.apply_conditions": Row(
        "POST",
        "/api/catalog/.well-known/backstage/permissions/apply-conditions",
        {"nobody", "service", "catalog reader"},
        200,
        {"items": []},
    ),
    "catalog_permission.metadata": reads("/api/catalog/.well-known/backstage/permissions/metadata"),
    "events.hear": opened("POST", "/api/events/http/github", 404, {}),
    "health.liveness": opened("GET", "/.backstage/health/v1/liveness"),
    "health.readiness": opened("GET", "/.backstage/health/v1/readiness"),
    "history.change_events": reads("/api/catalog/changes/events?after=nonsense", 400),
    "history.changes": reads("/api/catalog/changes"),
    "history.history_of_entity": reads(f"/api/catalog/entities/by-name/{ENTITY}/history"),
    "kinds.list_kinds": reads("/api/catalog/kinds"),
    "metrics.metrics": reads("/metrics"),
    **{
        f"notifications.{name}": Row("GET", f"/api/notifications/{name}", {*PEOPLE, "guest"})
        for name in ("notifications", "settings", "status", "topics")
    },
    "user_settings.multiget": Row("POST", "/api/user-settings/multiget", {*PEOPLE, "guest"}, 200, {"items": []}),
    "user_settings.get_setting": Row("GET", f"{SETTING}/ghost", {*PEOPLE, "guest"}, 404),
    "user_settings.put_setting": Row("PUT", f"{SETTING}/key", {*PEOPLE, "guest"}, 200, {"value": 1}),
    "user_settings.remove_setting": Row("DELETE", f"{SETTING}/key", {*PEOPLE, "guest"}, 204),
    "openapi": reads("/api/openapi.json"),
    "ownership.balance": reads("/api/ownership/balance/group/default/team"),
    "ownership.drift": reads("/api/ownership/drift?limit=nonsense", 400),
    "ownership.drift_of_entity": reads("/api/ownership/drift/component/default/ghost", 404),
    "ownership.entity": reads(f"/api/ownership/entity/{ENTITY}"),
    "ownership.entity_badge": reads(f"/api/ownership/badge/{ENTITY}.svg"),
    "ownership.graph": reads("/api/ownership/graph?root=component:default/thing"),
    "ownership.handovers": reads("/api/ownership/handovers?from=revision:0"),
    "ownership.history": reads(f"/api/ownership/history/{ENTITY}"),
    "ownership.impact": reads(f"/api/ownership/impact/{ENTITY}"),
    "ownership.impact_of_changes": reads("/api/ownership/impact?since=revision:1"),
    "ownership.layers": reads("/api/ownership/layers"),
    "ownership.lineage": reads(f"/api/ownership/lineage/{ENTITY}"),
    "ownership.plan_reorganisation": Row("POST", "/api/ownership/reorg/plan", MEMBERS, 400, {"odd": 1}),
    "ownership.portfolio": reads("/api/ownership/portfolio/group/default/team"),
    "ownership.problems": reads("/api/ownership/problems"),
    "ownership.problems_badge": reads("/api/ownership/problems/badge.svg"),
    "ownership.rules": reads("/api/ownership/rules"),
    "ownership.write_reorganisation": Row("POST", "/api/ownership/reorg/write", ADMINS, 400, {"odd": 1}),
    "permission.authorize": Row("POST", "/api/permission/authorize", {*PEOPLE, "nobody", "guest"}, 200, {"items": []}),
    "permission.explain": reads("/api/permission/explain?permission=catalog.entity.create"),
    "permission.health": opened("GET", "/api/permission/health"),
    "scaffolder.autocomplete": Row(
        "POST", "/api/scaffolder/v2/autocomplete/nohost/branches", MEMBERS, 400, {"token": "x"}
    ),
    "scaffolder.cancel_task": Row("POST", f"{TASK}/cancel", CREATORS),
    "scaffolder.create_task": Row(
        "POST", "/api/scaffolder/v2/tasks", MEMBERS, 404, {"templateRef": "template:default/ghost", "values": {}}
    ),
    # What it brings is no template; a task that is under way is not over, and only who may read it hears of that.
    "scaffolder.dry_run": Row(
        "POST", "/api/scaffolder/v2/dry-run", MEMBERS, 400, {"template": {}, "values": {}, "directoryContents": []}
    ),
    "scaffolder.retry_task": Row("POST", f"{TASK}/retry", CREATORS, 409, {}),
    "scaffolder.get_task": Row("GET", TASK, CREATORS),
    "scaffolder.list_actions": reads("/api/scaffolder/v2/actions"),
    "scaffolder.list_generated": reads("/api/scaffolder/v2/generated"),
    "scaffolder.list_events": Row("GET", f"{TASK}/events?after=nonsense", CREATORS, 400),
    "scaffolder.list_tasks": Row("GET", "/api/scaffolder/v2/tasks", {*PEOPLE, "service"}),
    "scaffolder.list_templating_extensions": reads("/api/scaffolder/v2/templating-extensions"),
    "scaffolder_permission.metadata": reads("/api/scaffolder/.well-known/backstage/permissions/metadata"),
    "scaffolder_permission.apply_conditions": Row(
        "POST",
        "/api/scaffolder/.well-known/backstage/permissions/apply-conditions",
        {"nobody", "service"},
        200,
        {"items": []},
    ),
    "scaffolder.parameter_schema": reads("/api/scaffolder/v2/templates/default/template/make/parameter-schema"),
    # Nothing has generated it.
    "scaffolder.upgrade": Row(
        "POST", "/api/scaffolder/v2/upgrade", OWNERS, 400, {"entityRef": "component:default/thing"}
    ),
    "scaffolder.stream_events": Row("GET", f"{TASK}/eventstream?after=nonsense", CREATORS, 400),
    "search.search": reads("/api/search/query?term=thing"),
    # There is no provider here: what signing in does is tried in tests/oidc.
    "sign_in.frame": opened("GET", "/api/auth/corp/handler/frame"),
    "sign_in.logout": opened("POST", "/api/auth/corp/logout", 401),
    "sign_in.refresh": opened("GET", "/api/auth/corp/refresh", 401),
    "sign_in.start": opened("GET", "/api/auth/corp/start", 400),
    # A service is refused where the body is good.
    "tokens.create_token": Row("POST", "/api/auth/v1/tokens", {*PEOPLE, "service"}, 400, {"odd": 1}),
    "tokens.list_tokens": Row("GET", "/api/auth/v1/tokens", {*PEOPLE}),
    "tokens.revoke_token": Row("DELETE", "/api/auth/v1/tokens/ghost", {*PEOPLE}, 404),
    "web.actions": reads("/tools/actions"),
    "web.api_reference": reads("/tools/api"),
    "web.anything_else": reads("/nonsense", 404),
    "web.asset": reads("/static/nonsense", 404),
    "web.catalog": reads("/catalog"),
    "web.catalog_csv": reads("/catalog.csv"),
    # A form without its token is refused, of whomever.
    "web.begin_task": Row("POST", "/create/templates/default/ghost", MEMBERS, 404, others={"nobody": 403}),
    "web.cancel_task": Row("POST", "/create/tasks/{task}/cancel", CREATORS, 303, others={"nobody": 403}),
    "web.balance": reads("/projects/default/nothing", 404),
    "web.balances": reads("/projects"),
    "web.choose_language": reads("/language/en", 303),
    "web.create": reads("/create"),
    "web.entity": reads("/catalog/default/component/thing"),
    "web.entity_history": reads("/catalog/default/component/thing/history"),
    "web.favicon": reads("/favicon.ico", 204),
    "web.graph": reads("/graph?root=component:default/thing"),
    "web.home": reads("/"),
    "web.kinds_page": reads("/kinds"),
    "web.layer": reads("/layers/default/backbone"),
    "web.layers": reads("/layers"),
    "web.problems": reads("/problems"),
    "web.search": reads("/search?q=thing"),
    "web.retry_task": Row("POST", "/create/tasks/{task}/retry", CREATORS, 409, others={"nobody": 403}),
    # Forms without their token are refused, of whomever.
    "web.delete_location": Row("POST", "/register/{location}/delete", OWNERS, 303, others={"nobody": 403}),
    "web.refresh_source": Row(
        "POST", "/tools/refresh", OWNERS, 303, "entityRef=component:default/thing", others={"nobody": 403}
    ),
    "web.register": reads("/register"),
    "web.register_location": Row("POST", "/register/locations", MEMBERS, 422, "target=x", others={"nobody": 403}),
    "web.register_preview": Row("POST", "/register", MEMBERS, 422, "target=x", others={"nobody": 403}),
    "web.registered": reads("/register/{location}"),
    "web.refresh_entity": _form("/catalog/default/component/thing/refresh"),
    "web.remove_entity": _form("/catalog/default/component/thing/remove?{uid}"),
    "web.remove_page": reads("/catalog/default/component/thing/remove"),
    "web.owner": reads("/owners/group/default/team"),
    "web.owners": reads("/owners"),
    "web.sign_in_page": reads("/sign-in"),
    "web.sign_out": Row("POST", "/sign-out", EVERYBODY - {"nobody"}, 303, others={"nobody": 403}),
    "web.sign_out_page": reads("/sign-out", 302),
    "web.template": reads("/create/templates/default/make"),
    "web.start_task_over": Row("POST", "/create/tasks/{task}/again", CREATORS, 303, others={"nobody": 403}),
    "web.task": Row("GET", "/create/tasks/{task}", CREATORS),
    "web.task_log": Row("GET", "/create/tasks/{task}/log", CREATORS),
    "web.tasks": Row("GET", "/create/tasks", {*PEOPLE, "service"}),
    "web.upgrade": Row(
        "POST", "/create/upgrades", OWNERS, 422, "entityRef=component:default/thing", others={"nobody": 403}
    ),
    "web.upgrades": reads("/create/upgrades"),
    "web.tools": reads("/tools"),
    "web.unregister": _form("/catalog/default/component/brought/unregister?{location}"),
} | {
    f"cookie.{plugin}_{verb}": Row(method, f"/api/{plugin}/.backstage/auth/v1/cookie", may, status)
    for plugin in ("auth", "catalog", "permission", "scaffolder", "search")
    for verb, method, status, may in (
        ("set", "GET", 200, {*PEOPLE, "guest"}),
        ("end", "DELETE", 204, _ENDING.get(plugin, EVERYBODY)),
    )
}

SERVICE_TOKENS = [
    {"type": "static", "options": {"token": "service-token", "subject": "ci"}},
    {
        "type": "static",
        "options": {"token": "catalog-token", "subject": "reader"},
        "accessRestrictions": [
            {"plugin": "catalog", "permission": ["catalog.entity.read", "catalog.location.read"]},
        ],
    },
]


class Matrix:
    """A world with something of everything that rows ask for."""

    def __init__(self, opened_world: World) -> None:
        self.world = opened_world
        portal = opened_world.portal
        self.brought = Repository(portal.settings.repositories / "brought")
        self.brought.commit(
            {
                "catalog-info.yaml": """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: brought}
spec: {type: service, lifecycle: production, owner: team}
"""
            }
        )
        portal.jobs.start(worker=False)
        self.tokens = {f"{kind} {scope}": self._token(kind, scope) for kind in KINDS for scope in BUNDLES}
        self.task = portal.scaffolding.create_task(
            "make", {"owner": "group:default/others"}, actor_ref="user:default/member"
        )

    def headers(self, actor: str) -> dict[str, str]:
        """Return what an actor sends."""
        if actor == "nobody":
            return {}
        if actor in self.tokens:
            return {"authorization": f"Bearer {self.tokens[actor]}"}
        if actor in {"service", "catalog reader"}:
            return {"authorization": f"Bearer {'service' if actor == 'service' else 'catalog'}-token"}
        if actor in REFUSED:
            good = self.world.as_user("admin")["authorization"].removeprefix("Bearer ")
            return {"authorization": f"Bearer {self._spoilt(good, actor)}"}
        if actor == "guest":
            token = self.world.portal.access.identity.sign_in_guest().token.text
            return {"authorization": f"Bearer {token}"}
        return self.world.as_user(actor)

    def ask(self, row: Row, actor: str) -> int:
        """Send a row's request and return the status, after seeing to it that what it names is there."""
        path = row.path
        if "{uid}" in path:
            path = path.replace("{uid}", self._uid())
        if "{location}" in path or "by-entity" in path:
            path = path.replace("{location}", self._location())
        path = path.replace("{task}", self.task)
        is_form = isinstance(row.body, str)
        body = row.body if is_form or row.body is None else orjson.dumps(row.body)
        kind = "application/x-www-form-urlencoded" if is_form else None if body is None else "application/json"
        answer = self.world.client.open(
            path, method=row.method, data=body, content_type=kind, headers=self.headers(actor)
        )
        answer.close()
        return answer.status_code

    def _token(self, kind: str, scope: str) -> str:
        made = self.world.portal.access.api_tokens
        more = {"expires_at_ms": int(time.time() * 1000) + 3_600_000, "created_by": "operator"}
        if kind == "admin's token":
            return made.create_personal(EntityRef("user:default/admin"), [scope], **more).text.reveal()
        return made.create_service(scope.replace(":", "-"), [scope], **more).text.reveal()

    def _uid(self) -> str:
        portal = self.world.portal
        ref = "component:default/thing"
        if portal.catalog.body(ref) is None:
            # Its file is read again with another entity of it.
            portal.locations.refresh(EntityRef("group:default/team"))
        return str(orjson.loads(portal.catalog.body(ref))["metadata"]["uid"])

    def _location(self) -> str:
        locations = self.world.portal.locations
        found = next((item for item in locations.list() if item.target == self.brought.url), None)
        return found.id if found is not None else locations.register("url", self.brought.url).location.id

    def _spoilt(self, good: str, how: str) -> str:
        head, payload, signature = good.split(".")
        if how == "forged":
            return f"{head}.{payload}.{signature[:-8]}AAAAAAAA"
        if how == "unsigned":
            none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"vnd.backstage.user"}').rstrip(b"=").decode()
            return f"{none}.{payload}."
        portal = self.world.portal
        issuer = f"{portal.settings.base_url}/api/auth"
        vault = Vault(portal.settings.data / "instance.key")
        past = Tokens(portal.database, vault, issuer=issuer, clock=lambda: time.time() - 86_400)
        return past.issue(EntityRef("user:default/admin")).text


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    with world(tmp_path_factory.mktemp("matrix"), external_access=SERVICE_TOKENS) as opened_world:
        yield Matrix(opened_world)


def test_every_route_has_a_row_and_every_row_a_route(matrix):
    routes = {rule.endpoint for rule in matrix.world.app.url_map.iter_rules()}
    assert set(ROWS) == routes
    assert set(RIGHTS) == routes


@pytest.mark.parametrize("endpoint", sorted(ROWS))
def test_a_route_answers_just_those_who_may(matrix, endpoint):
    row = ROWS[endpoint]
    found = {actor: matrix.ask(row, actor) for actor in ACTORS}
    expected = {actor: row.status if actor in row.may else row.others.get(actor, _refused(actor)) for actor in ACTORS}
    assert found == expected


@pytest.mark.parametrize("endpoint", sorted(ROWS))
def test_a_token_for_a_scope_does_what_the_scope_says_of_what_its_bearer_may(matrix, endpoint):
    row = ROWS[endpoint]
    asked = RIGHTS[endpoint].asked
    found = {actor: matrix.ask(row, actor) for actor in matrix.tokens}
    expected = {}
    for kind, bearer in KINDS.items():
        good = row.status if bearer in row.may else row.others.get(bearer, 403)
        if kind == "admin's token" and endpoint.startswith("cookie.") and endpoint.endswith("_set"):
            good = 401  # a cookie is made of a token of a sign-in alone
        if endpoint.startswith("user_settings."):
            good = 403  # no scope is about them
        for scope in BUNDLES:
            may = permissions_of([scope])
            # What somebody may not read is not there for them.
            is_hidden = any(one.place == "uid" for one in asked) and "catalog.entity.read" not in may
            refused = 404 if is_hidden else 403
            expected[f"{kind} {scope}"] = good if {one.permission for one in asked} <= may else refused
    assert found == expected


def _refused(actor: str) -> int:
    return 401 if actor == "nobody" or actor in REFUSED else 403


#: Who a command runs as: always the operator, whom the database's and files' own rights hold to what they may. One that
#: asks the permission policy would be a row of its own.
OPERATOR = {
    "audit",
    "backup",
    "changes",
    "db",
    "doctor",
    "history",
    "ingest",
    "owners",
    "policy",
    "restore",
    "schema",
    "serve",
    "settings",
    "template",
    "token",
    "validate",
    "worker",
}


def test_every_command_is_the_operators():
    assert set(COMMANDS) == OPERATOR
