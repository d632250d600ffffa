"""A location is registered in a real browser, with and without scripts, by hand and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsers import needs_chromium
from catalogs import component, group
from playwright.sync_api import Browser, Page
from repositories import Repository
from seen import opened, served, violations

from portal.app import Portal

pytestmark = needs_chromium

FAULTY = component("billing") + "---\n" + component("not good") + "---\n" + group("team-a")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a server, and of repositories that it may read, by what is in them."""
    urls: dict[str, str] = {}

    def fill(portal: Portal) -> None:
        for name, files in {
            "known": {"catalog-info.yaml": group("team-a")},
            "new": {"catalog-info.yaml": component("billing")},
            "faulty": {"catalog-info.yaml": FAULTY},
            "bare": {"README.md": "x"},
        }.items():
            made = Repository(portal.settings.repositories / name)
            made.commit(files)
            urls[name] = made.url
        portal.ingest([("url", urls["known"])])

    with served(tmp_path_factory.mktemp("register"), fill) as address:
        yield address, urls


def test_a_repository_is_looked_at_registered_followed_and_removed(
    browser: Browser, site: tuple[str, dict[str, str]]
) -> None:
    with opened(browser, site[0]) as page:
        page.goto("/register")
        page.get_by_label("Address of a repository").fill(site[1]["new"])
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="It would bring 1 entity").wait_for()
        assert "/register?target=" in page.url
        page.get_by_role("button", name="Register", exact=True).click()

        page.get_by_role("heading", name="1 entity in the catalog").wait_for()
        address = page.url
        page.get_by_role("link", name="billing").click()
        page.wait_for_url("**/catalog/default/component/billing")
        page.goto(address)
        page.locator("summary", has_text="Stop reading").click()
        page.get_by_role("button", name="Remove from the catalog").click()
        page.wait_for_url("**/register")
        assert page.get_by_role("link", name=site[1]["new"]).count() == 0


def test_a_look_needs_no_scripts(browser: Browser, site: tuple[str, dict[str, str]]) -> None:
    with opened(browser, site[0], java_script_enabled=False) as page:
        page.goto("/register")
        page.get_by_label("Address of a repository").fill(site[1]["bare"])
        page.get_by_role("button", name="Look").click()
        page.get_by_role("heading", name="There is no catalog file yet").wait_for()
        assert "kind: Component" in page.locator("pre").inner_text()
        page.get_by_label("Address of a repository").fill(site[1]["faulty"])
        page.get_by_role("button", name="Look").click()
        page.get_by_role("heading", name="It would bring 2 entities").wait_for()
        page.get_by_role("link", name="中文").click()
        page.wait_for_url("**/register")


def _looked_at(page: Page, target: str) -> None:
    page.goto("/register")
    page.get_by_label("Address of a repository").fill(target)
    page.get_by_role("button", name="Look").click()
    page.locator("#verdict, #fault").wait_for()


def test_axe_finds_nothing_wrong_with_a_look_and_it_fits_a_phone(
    browser: Browser, site: tuple[str, dict[str, str]]
) -> None:
    with opened(browser, site[0], viewport={"width": 390, "height": 800}) as page:
        for target in ("nonsense", site[1]["bare"], site[1]["faulty"]):
            _looked_at(page, target)
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Register anyway").click()
        page.get_by_role("heading", name="Problems in files").wait_for()
        assert violations(page) == []


@pytest.mark.parametrize("path", ["/register", "/tools", "/tools/api", "/tools/api?part=locations", "/tools/actions"])
def test_axe_finds_nothing_wrong_with_the_pages_of_tools(path: str, page: Page) -> None:
    page.goto(path)

    assert violations(page) == []


def test_actions_are_narrowed_while_somebody_types_and_sources_read_again(page: Page) -> None:
    page.goto("/tools/actions")
    page.get_by_placeholder("Filter by name").press_sequentially("fetch:plain:file")
    page.wait_for_url("**/tools/actions?q=fetch%3Aplain%3Afile")
    page.locator("details[open] .api-name", has_text="targetPath").wait_for()

    page.goto("/tools")
    page.get_by_role("button", name="Refresh").first.click()
    page.get_by_text("Asked for").wait_for()
    page.goto("/tools/api")
    page.get_by_role("navigation", name="Parts").get_by_role("link", name="search").click()
    page.locator("summary", has_text="/api/search/query").click()
    assert page.url.endswith("/tools/api?part=search")
    page.locator("details[open]").get_by_text("Parameters").wait_for()
