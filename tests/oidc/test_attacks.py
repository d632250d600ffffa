"""What people try who are not whom they say, or who want others to act for them."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

import pytest
from identity_providers import message_of

from portal.app.wsgi import create_app


@pytest.fixture(scope="module")
def portal(serve_at_once):
    """A Portal for all these tests: nothing that they do to a browser reaches another one."""
    return serve_at_once()


def changed(url, **parameters):
    """Return a url with some parameters replaced; None takes one away."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | parameters
    return urlunsplit(parts._replace(query=urlencode({name: text for name, text in query.items() if text is not None})))


def csrf_token(page):
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def refused(answer):
    assert answer.status_code == 200
    told = message_of(answer.text)["answer"]
    assert "response" not in told
    return told["error"]["message"]


def test_the_provider_is_asked_with_a_challenge_state_and_nonce_that_are_never_the_same(portal, visit, portal_url):
    ann = visit()
    queries = [parse_qs(urlsplit(ann.start()).query) for _ in range(2)]

    for query in queries:
        assert query["response_type"] == ["code"]
        assert query["code_challenge_method"] == ["S256"]
        assert query["redirect_uri"] == [f"{portal_url}/api/auth/corp/handler/frame"]
    for name in ("state", "nonce", "code_challenge"):
        values = {query[name][0] for query in queries}
        assert len(values) == 2
        assert min(map(len, values)) >= 43


@pytest.mark.parametrize("state", ["forged", "", None, "é", "x" * 5000])
def test_a_forged_state_signs_nobody_in(portal, visit, state):
    ann = visit()
    back = ann.walk(ann.start(), login="ann")

    assert "not begun in this browser" in refused(ann.get(changed(back, state=state)))
    assert ann.who() is None


def test_an_answer_in_another_browser_signs_nobody_in(portal, visit):
    ann, victim = visit(), visit()
    back = ann.walk(ann.start(), login="ann")

    assert "not begun in this browser" in refused(victim.get(back))
    victim.start()
    assert "not begun in this browser" in refused(victim.get(back))
    assert victim.who() is None


def test_a_code_counts_once_even_for_whoever_kept_the_cookie(portal, visit):
    ann, thief = visit(), visit()
    url = ann.start()
    kept = ann.cookie
    back = ann.walk(url, login="ann")
    ann.get(back)
    assert ann.who() == "user:default/ann-a"

    assert "not begun in this browser" in refused(ann.get(back))
    thief.cookie = kept
    assert "invalid grant" in refused(thief.get(back))
    assert thief.who() is None


def test_a_token_with_another_nonce_is_refused(portal, visit):
    ann = visit()
    # The provider puts the nonce that it is asked with into its token: it is another than the browser keeps.
    back = ann.walk(changed(ann.start(), nonce="of-another-sign-in"), login="ann")

    assert "the token of the sign-in is not good" in refused(ann.get(back))
    assert ann.who() is None


def test_a_code_that_was_asked_for_with_another_challenge_is_refused(portal, visit):
    ann, other = visit(), visit()
    challenge = parse_qs(urlsplit(other.start()).query)["code_challenge"][0]
    back = ann.walk(changed(ann.start(), code_challenge=challenge), login="ann")

    assert "invalid grant" in refused(ann.get(back))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"iss": "https://evil.example"}, "the answer is another provider's"),
        ({"iss": None}, "the answer is another provider's"),
        ({"code": None}, "did not sign anybody in"),
        ({"code": "forged"}, "invalid grant"),
        ({"error": "access_denied"}, "access denied"),
        ({"error": "<script>alert(1)</script>"}, "Corp did not sign anybody in: error"),
    ],
)
def test_an_answer_that_is_not_the_providers_is_refused(portal, visit, parameters, told):
    ann = visit()
    back = ann.walk(ann.start(), login="ann")
    answer = ann.get(changed(back, **parameters))

    assert told in refused(answer)
    assert "alert" not in answer.text
    # What was refused once is over, whatever comes after it.
    assert "not begun in this browser" in refused(ann.get(back))
    assert ann.who() is None


def test_a_session_that_somebody_else_has_set_is_not_the_one_that_is_signed_in(portal, visit):
    attacker, victim = visit(), visit()
    attacker.sign_in("bob")
    planted = attacker.cookie
    victim.cookie = planted
    assert victim.who() == "user:default/bob"
    victim.sign_in("ann")

    assert victim.who() == "user:default/ann-a"
    assert victim.cookie != planted
    # What was planted is over as well: it was the former session of the browser that has signed in.
    assert attacker.who() is None


def test_the_cookie_is_kept_from_scripts_and_other_sites(portal, visit):
    ann = visit()
    header = ann.get(ann.walk(ann.start(), login="ann")).headers["set-cookie"]

    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(header.split("; "))
    assert "Domain" not in header


@pytest.mark.parametrize(
    "change", [lambda text: text[:-2], lambda text: f"{text}x", lambda text: "e30.e30.x", lambda _: ""]
)
def test_a_cookie_that_was_not_signed_here_is_nobodys(portal, visit, change):
    ann, thief = visit(), visit()
    ann.sign_in("ann")
    thief.cookie = change(ann.cookie)

    assert thief.who() is None


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "//evil.example/",
        "{portal}@evil.example/",
        "{portal}.evil.example/",
        "{portal}\\@evil.example/",
        "http:\\\\evil.example",
        "{portal}\t.evil.example/",
        "{portal}:80/",
        "javascript:alert(1)",
        "http://[::1",
        "/kinds",
        "",
        "{portal}/" + "x" * 2000,
    ],
)
def test_nobody_is_sent_to_another_site_after_sign_in(portal, visit, portal_url, url):
    given = quote(url.replace("{portal}", portal_url), safe="")
    answer = visit().get(f"/api/auth/corp/start?env=x&flow=redirect&redirectUrl={given}")
    assert answer.status_code in {400, 403}
    assert "location" not in answer.headers

    page = visit().get(f"/sign-in?return={given}").text
    (link,) = re.findall(r'href="(/api/auth/corp/start[^"]*)"', page)
    (target,) = parse_qs(urlsplit(link.replace("&amp;", "&")).query)["redirectUrl"]
    assert urlsplit(target).netloc == urlsplit(portal_url).netloc
    assert target in {f"{portal_url}/", f"{portal_url}/kinds"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "nonsense", "http://127.0.0.1"])
def test_no_answer_is_posted_to_the_page_of_another_origin(portal, visit, origin):
    answer = visit().get(f"/api/auth/corp/start?env=x&origin={quote(origin, safe='')}")
    assert answer.status_code in {400, 403}
    ann = visit()
    ann.sign_in("ann")
    for method, route in (("get", "refresh"), ("post", "logout")):
        headers = {"x-requested-with": "XMLHttpRequest", "origin": origin}
        assert ann.http.request(method, f"{ann.portal_url}/api/auth/corp/{route}", headers=headers).status_code >= 400
    assert ann.who() == "user:default/ann-a"


def test_a_write_of_a_session_needs_the_token_of_the_page(portal, visit):
    ann, bob = visit(), visit()
    ann.sign_in("ann")
    bob.sign_in("bob")
    body = {"entityRef": "user:default/bob"}
    mine, others = (csrf_token(person.get("/sign-out").text) for person in (ann, bob))

    for headers in ({}, {"x-csrftoken": "forged"}, {"x-csrftoken": others}):
        answer = ann.post("/api/catalog/refresh", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["name"]) == (403, "NotAllowedError")
    assert ann.post("/api/catalog/refresh", json=body, headers={"x-csrftoken": mine}).status_code == 200
    # htmx takes it from the page, wherever on it the form is.
    page = ann.get("/kinds", headers={"accept": "text/html"}).text
    found = re.search(r"<body [^>]*hx-headers='\{\"X-CSRFToken\": \"([^\"]+)\"\}'", page)
    assert found is not None
    assert ann.post("/api/catalog/refresh", json=body, headers={"x-csrftoken": found[1]}).status_code == 200
    # A token in the header is no browser's own doing.
    token = ann.refresh().json()["backstageIdentity"]["token"]
    assert ann.post("/api/catalog/refresh", json=body, headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_no_route_writes_for_a_session_without_the_token_of_its_page(portal, visit):
    ann, bob = visit(), visit()
    ann.sign_in("ann")
    bob.sign_in("bob")
    others = csrf_token(bob.get("/sign-out").text)
    urls = create_app(portal).url_map
    adapter = urls.bind("localhost")
    told = {}
    for rule in urls.iter_rules():
        if rule.endpoint in {"sign_in.refresh", "sign_in.logout", "auth.refresh", "auth.logout"}:
            continue  # They ask for a header of a frontend's own.
        path = adapter.build(rule.endpoint, dict.fromkeys(rule.arguments, "x"))
        for method in rule.methods - {"GET", "HEAD", "OPTIONS"}:
            for number, form in enumerate(({}, {"csrf_token": "forged"}, {"csrf_token": others})):
                answer = ann.http.request(method, f"{ann.portal_url}{path}", data=form)
                told[rule.endpoint, method, number] = answer.status_code, "CSRF" in answer.text
    assert len(told) > 90
    assert {key: found for key, found in told.items() if found != (403, True)} == {}


def test_the_form_that_signs_out_needs_its_token(portal, visit):
    ann = visit()
    ann.sign_in("ann")
    for data in ({}, {"csrf_token": "forged"}):
        assert ann.post("/sign-out", data=data).status_code == 403
    assert ann.who() == "user:default/ann-a"
    assert visit().post("/sign-out").status_code == 403
    # The token of the time before is not good after the next sign-in.
    former = csrf_token(ann.get("/sign-out").text)
    ann.sign_in("ann")
    assert ann.post("/sign-out", data={"csrf_token": former}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "a b", "127.0.0.1@evil.example", ""]
)
@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/api/catalog/entities/by-name/user/default/bob", "/api/auth/corp/start?env=x"]
)
def test_another_host_is_not_answered_for(portal, visit, host, path):
    answer = visit().get(path, headers={"host": host})

    assert answer.status_code == 400
    assert "evil" not in answer.text
    assert "location" not in answer.headers


@pytest.mark.parametrize("header", ["x-forwarded-host", "forwarded", "x-host", "x-forwarded-proto"])
def test_headers_of_proxies_change_no_address(portal, visit, portal_url, header):
    ann = visit()
    value = "host=evil.example" if header == "forwarded" else "evil.example"
    answer = ann.get("/api/auth/corp/start?env=x", headers={header: value})
    assert parse_qs(urlsplit(answer.headers["location"]).query)["redirect_uri"] == [
        f"{portal_url}/api/auth/corp/handler/frame"
    ]
    assert "evil" not in ann.get("/sign-in", headers={header: value}).text


def test_probes_ask_an_address(portal, visit):
    assert visit().get("/.backstage/health/v1/readiness", headers={"host": "10.1.2.3:7007"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/sign-in?return=/%0d%0aset-cookie:%20a=b",
        "/kinds?a=%0d%0aset-cookie:%20a=b",
        "/api/auth/corp/start?env=x&scope=a%0d%0aset-cookie:%20a=b",
        "/api/auth/corp/start?env=x&flow=redirect&redirectUrl=http://127.0.0.1/%0d%0aset-cookie:%20a=b",
        "/api/auth/corp/handler/frame?state=%0d%0aset-cookie:%20a=b&error=%0d%0aset-cookie:%20a=b",
    ],
)
def test_no_parameter_becomes_a_header(portal, visit, path):
    answer = visit().get(path, headers={"accept": "text/html"})

    assert all("a=b" not in header for header in answer.headers.get_list("set-cookie"))
    assert "\n" not in answer.headers.get("location", "")


def test_an_answer_with_a_token_is_kept_out_of_caches_frames_and_addresses(portal, visit):
    answer = visit().sign_in("ann")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
