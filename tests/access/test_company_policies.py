"""Policies on permissions that installed distributions bring."""

from __future__ import annotations

import pytest
from worlds import OWNED, world

from portal.defaults.policies import access_policies, rule_registry
from portal.errors import PluginError
from portal.model.permission_names import PERMISSIONS
from portal.services.identity import ANYBODY
from portal.services.permission import Question

POLICY = """
from portal.model.permission import CATALOG_ENTITY, Condition, Conditional, Ruling

class Closed:
    def decide(self, permissions, actor, claims):
        services = Conditional(Condition("HAS_SPEC", CATALOG_ENTITY, {"key": "type", "value": "service"}))
        told = {
            "catalog.location.create": Ruling("DENY", "locations come by settings"),
            "catalog.entity.delete": services,
        }
        return [told.get(item.name) for item in permissions]

CLOSED = Closed()
"""


@pytest.fixture
def installed(install):
    """Install a distribution whose entry points are given, of the module above."""
    return lambda points: install("access", module=POLICY, group="portal.policies", points=points)


def test_a_class_decides_before_the_default_policy(installed, tmp_path):
    installed("access/closed = acme_access:CLOSED")
    assert "access/closed" not in rule_registry()
    assert rule_registry().unavailable == []
    with world(tmp_path / "world") as opened:
        authorize = opened.portal.access.permission.authorize

        def decide(name, actor, resource=None):
            return authorize([Question("", PERMISSIONS[name], resource)], actor)[0]

        admin = decide("catalog.location.create", opened.actor("admin"))
        assert (admin.decision, admin.reason) == ("DENY", "locations come by settings")
        assert decide("catalog.entity.delete", opened.actor("lone"), OWNED).decision == "ALLOW"
        assert decide("catalog.entity.delete", opened.actor("owner"), "system:default/net").decision == "DENY"
        # What it leaves is the default policy's.
        assert decide("catalog.entity.refresh", opened.actor("owner"), "system:default/net").decision == "ALLOW"
        assert decide("portal.reorg.write", ANYBODY).decision == "DENY"


@pytest.mark.parametrize(
    "points",
    ["access/gone = acme_nothing:X", "access/odd = os:sep", "access/class = acme_access:Closed"],
)
def test_a_policy_that_cannot_be_used_stops_the_start(installed, tmp_path, points):
    installed(points)
    with pytest.raises(PluginError, match=points.partition(" ")[0]):
        access_policies()
