"""Sign-in with a certified provider in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsers import needs_chromium
from identity_providers import Provider
from playwright.sync_api import Browser, Page, expect

pytestmark = needs_chromium
_PATIENCE_MS = 60_000


@pytest.fixture(scope="module", autouse=True)
def portal(serve_at_once):
    return serve_at_once()


@pytest.fixture
def page(browser: Browser, portal_url: str) -> Iterator[Page]:
    context = browser.new_context(base_url=portal_url)
    context.set_default_timeout(_PATIENCE_MS)
    yield context.new_page()
    context.close()


def pass_the_provider(page: Page, login: str) -> None:
    page.get_by_placeholder("Enter any login").fill(login)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_a_person_signs_in_sees_their_name_and_signs_out_everywhere(page: Page, provider: Provider) -> None:
    page.goto("/kinds")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_role("link", name="Sign in with Corp").click()
    pass_the_provider(page, "ann")
    page.wait_for_url("**/kinds")
    expect(page.get_by_role("banner")).to_contain_text("Ann Ashby")

    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_text("user:default/ann-a")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    # The provider asks whether its own session shall end too.
    page.wait_for_url(f"{provider.issuer}/**")
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url("**/sign-in*")
    page.goto("/kinds")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_role("link", name="Sign in with Corp").click()
    # Signed out there as well, it asks who it is.
    expect(page.get_by_placeholder("Enter any login")).to_be_visible()


def test_a_person_whom_the_catalog_does_not_know_is_told(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Sign in with Corp").click()
    pass_the_provider(page, "stranger")
    page.wait_for_url("**/sign-in")

    expect(page.get_by_role("alert")).to_contain_text("the catalog has no user for you")
    expect(page.get_by_role("alert")).to_contain_text("stranger@example.com")


def test_a_window_that_a_frontend_opens_posts_the_answer_to_it_and_closes(page: Page, portal_url: str) -> None:
    page.goto("/sign-in")
    page.evaluate("window.heard = []; window.addEventListener('message', event => window.heard.push(event.data))")
    with page.expect_popup() as opened:
        page.evaluate(
            "url => { window.open(url, '_blank', 'width=600,height=600') }",
            f"/api/auth/corp/start?env=development&origin={portal_url}",
        )
    window = opened.value
    with window.expect_event("close"):
        pass_the_provider(window, "ann")
    page.wait_for_function("window.heard.length === 2")

    info, answer = page.evaluate("window.heard")
    assert info == {"type": "config_info", "targetOrigin": portal_url}
    assert answer["type"] == "authorization_response"
    assert answer["response"]["backstageIdentity"]["identity"]["userEntityRef"] == "user:default/ann-a"
    # The browser asks for the next token by the cookie, which scripts cannot read.
    told = page.request.get("/api/auth/corp/refresh", headers={"x-requested-with": "XMLHttpRequest"}).json()
    assert told["backstageIdentity"]["identity"]["userEntityRef"] == "user:default/ann-a"
    assert page.evaluate("document.cookie") == ""


def test_a_page_of_another_site_cannot_write_as_the_person_who_is_signed_in(
    page: Page, portal_url: str, provider: Provider
) -> None:
    page.goto("/")
    page.get_by_role("link", name="Sign in with Corp").click()
    pass_the_provider(page, "ann")
    expect(page.get_by_role("banner")).to_contain_text("Ann Ashby")

    # Only the port is another: to the browser it is the same site, and the cookie comes along.
    evil = page.context.new_page()
    evil.goto(f"{provider.issuer}/.well-known/openid-configuration")
    for target in ("/sign-out", "/api/auth/corp/logout"):
        with evil.expect_response(f"**{target}") as answered:
            evil.evaluate(
                """target => fetch(target, {method: 'POST', mode: 'no-cors', credentials: 'include',
                   headers: {'content-type': 'text/plain'}, body: 'x'}).catch(() => null)""",
                f"{portal_url}{target}",
            )
        assert answered.value.status >= 400
    page.reload()
    expect(page.get_by_role("banner")).to_contain_text("Ann Ashby")
