"""Sign-in with a certified provider, from beginning to end, over HTTP: who people are, and until when."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from identity_providers import message_of
from sqlalchemy import select

from portal.services.vault import Vault
from portal.store.tables import sessions


def test_a_person_is_the_user_with_their_address_and_owns_by_all_groups_above(portal, visit, portal_url):
    ann = visit()
    answer = ann.sign_in("ann")

    assert answer.status_code == 200
    told = message_of(answer.text)
    assert told["origin"] == portal_url
    response = told["answer"]["response"]
    assert told["answer"]["type"] == "authorization_response"
    assert response["profile"] == {"email": "Ann@example.com", "displayName": "Ann Ashby"}
    identity = response["backstageIdentity"]
    assert identity["identity"] == {
        "type": "user",
        "userEntityRef": "user:default/ann-a",
        "ownershipEntityRefs": ["user:default/ann-a", "group:default/company", "group:default/team-a"],
    }
    assert response["providerInfo"].keys() == {"idToken", "accessToken", "scope", "expiresInSeconds"}
    assert response["providerInfo"]["expiresInSeconds"] > 0
    bearer = {"authorization": f"Bearer {identity['token']}"}
    assert visit().get("/api/auth/v1/userinfo", headers=bearer).json()["claims"]["sub"] == "user:default/ann-a"


@pytest.mark.parametrize(
    ("login", "user"), [("ann", "user:default/ann-a"), ("bob", "user:default/bob"), ("Carol-7", "user:default/carol")]
)
def test_people_are_found_by_annotation_address_or_name(portal, visit, login, user):
    person = visit()
    person.sign_in(login)

    assert person.who() == user


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ("liar", "the catalog has no user for you"),
        ("twice", "several users of the catalog are meant by it (email): user:default/one, user:default/two"),
        ("stranger", "the catalog has no user for you"),
    ],
)
def test_unknown_people_get_no_session_and_are_told_why(portal, visit, portal_url, login, told):
    person = visit()
    error = message_of(person.sign_in(login).text)["answer"]["error"]
    assert error["name"] == "NotAllowedError"
    assert told in error["message"]
    assert person.who() is None

    back = person.sign_in(login, f"env=x&flow=redirect&redirectUrl={portal_url}/kinds")
    assert back.headers["location"] == f"{portal_url}/sign-in"
    page = person.get("/sign-in")
    assert page.status_code == 403
    assert told in page.text
    assert "<b>" not in page.text
    assert person.get("/sign-in").status_code == 200
    assert person.get("/", headers={"accept": "text/html"}).status_code == 302
    assert person.get("/api/catalog/entities").status_code == 401
    with portal.database.reading() as connection:
        assert connection.execute(select(sessions)).all() == []


def test_unknown_people_are_users_without_an_entity_where_settings_say_so(start, visit, provider, portal_url):
    portal = start([provider.settings(unknown="create")])
    stranger, again, odd = visit(), visit(), visit()
    for person, login in ((stranger, "stranger"), (again, "stranger"), (odd, "Liar/../x")):
        person.sign_in(login)

    assert stranger.who() == again.who() == "user:corp/stranger"
    assert re.fullmatch(r"user:corp/sub-[0-9a-f]{32}", odd.who() or "")
    told = stranger.refresh().json()["backstageIdentity"]["identity"]
    assert told["ownershipEntityRefs"] == ["user:corp/stranger"]
    # Several users who could be meant are a fault of the catalog in either case.
    assert "several users" in message_of(visit().sign_in("twice").text)["answer"]["error"]["message"]
    assert portal.catalog.body("user:corp/stranger") is None


def test_the_rule_is_that_of_the_settings(start, visit, provider):
    start([provider.settings(match=["name"], name_claim="sub", unknown="refuse")])
    ann, bob = visit(), visit()
    assert "error" in message_of(ann.sign_in("ann").text)["answer"]
    bob.sign_in("bob")
    assert bob.who() == "user:default/bob"


def test_several_providers_stand_side_by_side(start, visit, provider):
    start([provider.settings(), provider.settings("lab", title="Lab", match=["name"])])
    ann, bob = visit(), visit()
    page = ann.get("/sign-in").text
    assert "Sign in with Corp" in page
    assert "Sign in with Lab" in page
    assert "error" in message_of(ann.sign_in("ann", provider="lab").text)["answer"]
    bob.sign_in("bob", provider="lab")
    assert bob.refresh(provider="lab").status_code == 200
    assert bob.refresh(provider="corp").status_code == 401
    # An attempt at one is no attempt at the other.
    back = ann.walk(ann.start(), login="ann")
    assert "not begun in this browser" in ann.get(back.replace("/corp/", "/lab/")).text
    assert ann.who() is None


def test_a_browser_is_sent_to_the_page_that_it_wanted(portal, visit, portal_url):
    ann = visit()
    wanted = ann.get("/kinds?a=b", headers={"accept": "text/html"})
    assert wanted.headers["location"] == "/sign-in?return=%2Fkinds%3Fa%3Db"
    page = ann.get(wanted.headers["location"]).text
    (url,) = re.findall(r'href="(/api/auth/corp/start[^"]*)"', page)
    back = ann.get(ann.walk(ann.get(url.replace("&amp;", "&")).headers["location"], login="ann"))

    assert (back.status_code, back.headers["location"]) == (302, f"{portal_url}/kinds?a=b")
    page = ann.get("/kinds", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "Ann Ashby" in page.text
    assert ann.get("/api/catalog/entities").status_code == 200


def test_the_token_is_made_anew_as_long_as_the_session_lasts(portal, visit):
    ann = visit()
    ann.sign_in("ann")
    first, second = ann.refresh().json(), ann.refresh().json()

    assert first["backstageIdentity"]["identity"] == second["backstageIdentity"]["identity"]
    assert first["profile"]["displayName"] == "Ann Ashby"
    assert visit().refresh().status_code == 401
    refused = visit().refresh().json()["error"]
    assert refused == {
        "name": "AuthenticationError",
        "message": "Refresh failed; caused by AuthenticationError: Missing session cookie",
    }
    assert "X-Requested-With" in ann.get("/api/auth/corp/refresh").json()["error"]["message"]


def test_the_provider_is_asked_again_where_it_gives_a_token_for_it(start, visit, provider):
    portal = start([provider.settings(scopes=["openid", "profile", "email", "offline_access"], prompt="consent")])
    ann = visit()
    first = message_of(ann.sign_in("ann").text)["answer"]["response"]["providerInfo"]
    second, third = (ann.refresh().json()["providerInfo"] for _ in range(2))
    assert "offline_access" in first["scope"]
    assert len({first["accessToken"], second["accessToken"], third["accessToken"]}) == 3

    # The provider takes its word back: the session is over.
    with portal.database.reading() as connection:
        (sealed,) = connection.execute(select(sessions.c.sealed)).scalars()
    token = Vault(portal.settings.data / "instance.key").open(sealed)["refresh_token"].reveal()
    login = ("portal", provider.settings()["client_secret"])
    assert ann.http.post(f"{provider.issuer}/token/revocation", data={"token": token}, auth=login).status_code == 200
    assert ann.get("/api/catalog/entities").status_code == 200
    refused = ann.refresh()
    assert (refused.status_code, "invalid grant" in refused.json()["error"]["message"]) == (401, True)
    assert ann.get("/api/catalog/entities").status_code == 401


def test_signing_out_ends_the_session_on_the_server_and_at_the_provider(portal, visit, portal_url, provider):
    ann = visit()
    ann.sign_in("ann")
    kept = ann.cookie
    page = ann.get("/sign-out")
    assert f"form-action 'self' {provider.issuer};" in page.headers["content-security-policy"]
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    away = ann.post("/sign-out", data={"csrf_token": token[1]})

    assert away.status_code == 303
    query = parse_qs(urlsplit(away.headers["location"]).query)
    assert away.headers["location"].startswith(f"{provider.issuer}/session/end?")
    assert query["post_logout_redirect_uri"] == [f"{portal_url}/sign-in"]
    assert query["id_token_hint"][0].count(".") == 2
    assert ann.who() is None
    thief = visit()
    thief.cookie = kept
    assert thief.who() is None


def test_a_frontend_signs_out_as_upstreams_do(portal, visit):
    ann = visit()
    ann.sign_in("ann")
    assert ann.post("/api/auth/corp/logout").status_code == 401
    assert ann.who() == "user:default/ann-a"
    told = ann.post("/api/auth/corp/logout", headers={"x-requested-with": "XMLHttpRequest"})

    assert told.status_code == 200
    assert "/session/end?" in told.json()["logoutUrl"]
    assert ann.who() is None
    again = ann.post("/api/auth/corp/logout", headers={"x-requested-with": "XMLHttpRequest"})
    assert (again.status_code, again.text) == (200, "")


def test_whoever_leaves_the_catalog_is_nobody_from_then_on(portal, visit, tmp_path):
    bob = visit()
    bob.sign_in("bob")
    assert bob.get("/api/catalog/entities").status_code == 200
    file = tmp_path / "organisation" / "catalog-info.yaml"
    file.write_text(file.read_text().replace("name: bob", "name: robert"))
    portal.refresh.refresh()

    assert bob.get("/api/catalog/entities").status_code == 401
    assert bob.who() is None


def test_a_provider_that_does_not_answer_is_told(start, visit, provider):
    start([provider.settings(issuer="http://127.0.0.1:9")])

    found = visit().get("/api/auth/corp/start?env=x")
    assert (found.status_code, found.json()["error"]["name"]) == (503, "ServiceUnavailableError")
    assert "Nobody can sign in with Corp now" in found.json()["error"]["message"]


def test_a_provider_that_calls_itself_otherwise_is_not_believed(start, visit, provider):
    start([provider.settings(issuer=provider.issuer.replace("127.0.0.1", "localhost"))])

    found = visit().get("/api/auth/corp/start?env=x")
    assert (found.status_code, "another one than the settings name" in found.text) == (503, True)


def test_no_secret_of_a_session_stands_in_the_database(portal, visit, database_url):
    ann = visit()
    response = message_of(ann.sign_in("ann").text)["answer"]["response"]
    with portal.database.reading() as connection:
        (row,) = connection.execute(select(sessions)).all()

    text = " ".join(map(str, row))
    for secret in (response["providerInfo"]["idToken"], response["providerInfo"]["accessToken"]):
        assert secret
        assert secret not in text
    assert ann.cookie not in text
