"""Whoever has a location unregistered must be let delete all that goes with it, what they may not read too."""

from __future__ import annotations

import pytest
from catalogs import component, documents
from repositories import Repository
from worlds import world

HIDDEN = """
apiVersion: portal/v1alpha1
kind: Policy
metadata: {name: others-hidden}
spec:
  owner: security
  rule: acme/others-hidden
  effect: deny
  permissions: [catalog.entity.read]
  conditions: {rule: IS_ENTITY_OWNER, params: {claims: ["group:default/others"]}}
  who: '!("group:default/others" in actor.claims || "group:default/platform" in actor.claims)'
  explanation: What others own is theirs.
  fix: Join group:default/others.
"""
HIDDEN_NAME = "zanzibar"


@pytest.fixture
def opened(tmp_path, database_url):
    with world(tmp_path, database=database_url, extra=HIDDEN) as found:
        yield found


def test_what_somebody_may_not_read_is_not_taken_away_by_them(opened):
    made = Repository(opened.portal.settings.repositories / "mixed")
    made.commit(
        {"catalog-info.yaml": documents(component("ours", owner="team"), component(HIDDEN_NAME, owner="others"))}
    )
    location = opened.portal.locations.register("url", made.url).location
    pages = (f"/register/{location.id}", "/catalog/default/component/ours/remove")

    for name, may in (("owner", False), ("admin", True)):
        for page in pages:
            text = opened.client.get(page, headers=opened.as_user(name)).text
            assert (HIDDEN_NAME in text) is may, page
            # What is offered is what the route lets them do.
            assert ('/delete"' in text or '/unregister"' in text) is may, page
    owner = opened.as_user("owner")
    for method, path in (
        ("DELETE", f"/api/catalog/locations/{location.id}"),
        ("POST", f"/register/{location.id}/delete"),
        ("POST", "/catalog/default/component/ours/unregister"),
    ):
        answer = opened.client.open(path, method=method, headers=owner)
        assert answer.status_code == 403, path
        assert "catalog.entity.delete" in answer.text
        assert HIDDEN_NAME not in answer.text
    assert opened.portal.catalog.body(f"component:default/{HIDDEN_NAME}") is not None
    gone = opened.client.delete(f"/api/catalog/locations/{location.id}", headers=opened.as_user("admin"))
    assert gone.status_code == 204


def test_a_location_that_nobody_has_read_yet_has_its_page(opened):
    (source,) = opened.portal.sources.add([("url", "https://git.example.com/not/read")], registered=True)
    assert opened.client.get(f"/register/{source.id}", headers=opened.as_user("owner")).status_code == 200
