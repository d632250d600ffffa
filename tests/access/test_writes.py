"""What is written where somebody may: reorganisations, actions of templates that a company holds to conditions."""

from __future__ import annotations

import pytest
from worlds import world

from portal.config import load_settings
from portal.errors import SettingsError

PLAN = {
    "reorganisation": "close-squad",
    "reason": "Small.",
    "groups": {"close": [{"ref": "group:default/squad", "heir": "group:default/team"}]},
}
POLICY = """
from portal.model.permission import Condition, Conditional, EveryOf, Ruling
from portal.model.permission_names import SCAFFOLDER_ACTION

class LoggingHello:
    def decide(self, permissions, actor, claims):
        def condition(rule, **params):
            return Condition(rule, SCAFFOLDER_ACTION, params)
        hello = EveryOf((
            condition("HAS_ACTION_ID", actionId="debug:log"),
            condition("HAS_PROPERTY", key="message", value="hello"),
        ))
        ruling = Ruling(Conditional(hello, SCAFFOLDER_ACTION, "scaffolder"), "only hello is said")
        return [ruling if item.name == "scaffolder.action.execute" else None for item in permissions]

HELLO = LoggingHello()
"""


def test_who_may_reorganise_pushes_a_branch_over_http(tmp_path):
    with world(tmp_path) as opened:
        refused = opened.client.post("/api/ownership/reorg/write", json=PLAN, headers=opened.as_user("approver"))
        assert refused.status_code == 403
        assert refused.json["error"]["message"] == (
            "user:default/approver may not use portal.reorg.write: admins alone may"
        )
        assert opened.branches() == ["main"]
        answer = opened.client.post("/api/ownership/reorg/write", json=PLAN, headers=opened.as_user("admin"))
        assert answer.status_code == 200, answer.text
        (written,) = answer.json["written"]
        assert written["branch"] == "portal/reorg-close-squad"
        assert opened.branches() == ["main", "portal/reorg-close-squad"]


def test_actions_are_tried_with_the_input_that_they_get(tmp_path, install):
    install("hello", module=POLICY, group="portal.policies", points="access/hello = acme_hello:HELLO")
    with world(tmp_path / "world") as opened:
        opened.portal.jobs.start(worker=True, alone=True)
        ends = {}
        for who, owner in (("owner", "group:default/team"), ("approver", "group:default/security")):
            body = {"templateRef": "template:default/make", "values": {"owner": owner}}
            task = opened.client.post("/api/scaffolder/v2/tasks", json=body, headers=opened.as_user(who)).json["id"]
            assert "permittedActions" not in opened.portal.scaffolding.get_task(task)["spec"]
            ends[who] = list(opened.portal.scaffolding.event_stream(task))[-1]["body"]
    assert ends["owner"].get("error") is None
    # Only the approver's task has the second step, which says something else.
    assert ends["approver"]["error"] == {
        "name": "NotAllowedError",
        "message": "user:default/approver may not use scaffolder.action.execute on debug:log with this input",
    }


@pytest.mark.parametrize(
    ("settings", "everything"),
    [
        ({}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"base_url": "https://portal.example.com"}, False),
        ({"base_url": "http://localhost:7007"}, True),
        ({"base_url": "http://127.0.0.1.example.com"}, False),
        ({"host": "0.0.0.0", "guest_rights": "everything"}, True),
        ({"guest_rights": "read"}, False),
    ],
)
def test_guests_have_everything_on_loopback_alone_where_nothing_is_set(settings, everything):
    assert load_settings(environment={}, overrides=settings).guests_may_everything is everything


def test_admins_are_users_or_groups():
    assert load_settings(environment={"PORTAL_ADMINS": "platform\nuser:default/ann"}, overrides={}).admins == (
        "group:default/platform",
        "user:default/ann",
    )
    with pytest.raises(SettingsError, match="references of users and groups"):
        load_settings(environment={"PORTAL_ADMINS": "component:default/x"}, overrides={})
