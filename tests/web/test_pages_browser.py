"""The pages in a real browser, over the reference organisation."""

from pathlib import Path

import pytest
from browsers import needs_chromium
from catalogs import component
from playwright.sync_api import Browser, Page
from repositories import MakeRepository
from seen import served, violations

from portal.app import Portal

pytestmark = needs_chromium


def test_the_home_page_shows_the_layers_from_top_to_bottom(page: Page) -> None:
    page.goto("/")

    assert page.locator("section.band h2").all_inner_texts() == ["AI projects", "Shared assets", "Backbone"]
    shared = page.locator("section.band", has=page.get_by_role("heading", name="Shared assets"))
    assert "4 Dataset" in shared.inner_text()
    assert shared.get_by_role("link", name="MLOps").is_visible()
    assert page.locator(".figures dd").all_inner_texts()[1:] == ["100 %", "0", "0"]


def test_an_entity_shows_its_owner_relations_and_whom_to_tell(page: Page) -> None:
    page.goto("/catalog/default/dataset/sales-daily")

    assert page.get_by_role("heading", level=1).inner_text() == "Sales by day"
    assert page.locator(".accountable").inner_text() == "MLOps"
    relations = page.locator("section", has=page.locator("#relations"))
    assert relations.get_by_role("link", name="Ingest sales").first.is_visible()
    assert "derived from" in relations.inner_text()
    assert "Demand forecast" in page.locator("section", has=page.locator("#impact")).inner_text()
    page.locator(".accountable a").click()
    page.wait_for_url("**/catalog/default/group/mlops")
    assert page.get_by_role("heading", level=1).inner_text() == "MLOps"


def test_the_page_can_be_used_by_keyboard(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.textContent") == "Skip to content"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_colours_of_the_system_and_fits_a_phone(
    scheme: str, browser: Browser, reference_url: str, tmp_path: Path
) -> None:
    context = browser.new_context(base_url=reference_url, color_scheme=scheme, viewport={"width": 390, "height": 800})
    opened = context.new_page()
    opened.goto("/")

    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(15, 19, 25)") == (scheme == "dark")
    opened.screenshot(path=str(tmp_path / "phone.png"))
    context.close()


def test_an_entity_shows_who_changed_what_of_it(browser: Browser, repo: MakeRepository, tmp_path: Path) -> None:
    made = repo({"x.yaml": component("billing", owner="team-0")})

    def fill(portal: Portal) -> None:
        portal.ingest([("url", f"{made.url}#:*.yaml")])
        for number in range(1, 7):
            made.commit({"x.yaml": component("billing", owner=f"team-{number}", more=f"system: system-{number}")})
            portal.refresh.refresh()
        made.commit({"x.yaml": None, "billing.yaml": component("billing", owner="team-6", more="system: system-6")})
        portal.refresh.refresh()

    with served(tmp_path, fill) as address:
        context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 1400})
        page = context.new_page()
        page.goto("/catalog/default/component/billing")
        history = page.locator("section", has=page.locator("#history"))
        newest, second, *others = history.locator(".versions > li").all()

        assert "moved from" in newest.inner_text()
        assert "Ann Author" in newest.inner_text()
        assert [second.locator("del").all_inner_texts(), second.locator("ins").all_inner_texts()] == [
            ["team-5", "system-5"],
            ["team-6", "system-6"],
        ]
        assert made.git("rev-parse", "--short=10", "HEAD~1") in second.inner_text()
        assert len(others) == 3
        page.screenshot(path=str(tmp_path / "history.png"), full_page=True)
        history.get_by_role("link", name="All of its history").click()
        page.wait_for_url("**/history")
        assert page.locator(".versions > li").count() == 8
        assert page.locator(".change").last.inner_text() == "added"
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.screenshot(path=str(tmp_path / "phone.png"))
        context.close()


@pytest.mark.parametrize("path", ["/", "/kinds", "/sign-in", "/catalog/default/dataset/sales-daily/history"])
def test_axe_finds_nothing_wrong(path: str, page: Page) -> None:
    page.goto(path)

    assert violations(page) == []


def test_a_reader_chooses_the_language_and_comes_back_to_the_page(page: Page) -> None:
    page.goto("/kinds?x=1")
    page.get_by_role("link", name="中文").click()

    page.wait_for_url("**/kinds?x=1")
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**/kinds?x=1")
    assert page.evaluate("document.documentElement.lang") == "en"
