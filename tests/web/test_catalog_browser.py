"""The table of all entities as people use it, over the reference organisation."""

import re
from pathlib import Path

import pytest
from browsers import needs_chromium
from playwright.sync_api import Browser, Page, expect
from seen import opened, violations

pytestmark = needs_chromium


def _counted(page: Page) -> int:
    return int(re.findall(r"\d+", page.locator("#count").inner_text())[0])


def test_filters_narrow_the_table_at_once_and_the_way_back_undoes_them(page: Page) -> None:
    page.goto("/catalog")
    every = _counted(page)
    page.get_by_role("checkbox", name=re.compile("^Pipeline")).check()
    page.wait_for_url("**/catalog?kind=pipeline")
    pipelines = _counted(page)
    assert 0 < pipelines < every
    # The focus stays where the hand is, though the filters were made anew.
    expect(page.get_by_role("checkbox", name=re.compile("^Pipeline"))).to_be_focused()
    page.get_by_role("checkbox", name=re.compile("^Component")).check()
    page.wait_for_url("**/catalog?kind=component&kind=pipeline")
    assert _counted(page) > pipelines

    page.get_by_label("Filter by words").press_sequentially("sales", delay=20)
    page.wait_for_url("**/catalog?kind=component&kind=pipeline&q=sales")
    names = page.locator("#results tbody th a")
    assert "Ingest sales" in names.all_inner_texts()
    assert page.get_by_label("Filter by words").input_value() == "sales"
    page.get_by_role("link", name=re.compile("^Kind Component")).click()
    page.wait_for_url("**/catalog?kind=pipeline&q=sales")

    page.get_by_role("link", name="Owner", exact=True).click()
    page.wait_for_url("**sort=owner")
    assert page.locator("th[aria-sort=ascending]").inner_text() == "Owner"
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Lifecycle").uncheck()
    page.wait_for_url("**columns=**")
    assert page.locator("th.col-lifecycle").count() == 0
    names.get_by_text("Ingest sales").click()
    page.wait_for_url("**/catalog/default/pipeline/ingest-sales")
    page.go_back()
    page.wait_for_url("**columns=**")
    assert page.locator("th.col-lifecycle").count() == 0
    page.get_by_role("link", name="Remove all").click()
    expect(page.locator("#count")).to_contain_text(str(every))


def test_pages_and_the_file_follow_the_filters(page: Page) -> None:
    page.goto("/catalog")
    first = page.locator("#results tbody th a").first.inner_text()
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**after=**")
    assert page.locator("#results tbody th a").first.inner_text() != first
    page.get_by_role("link", name="Previous").click()
    page.wait_for_url("**before=**")
    assert page.locator("#results tbody th a").first.inner_text() == first
    page.get_by_role("checkbox", name=re.compile("^Pipeline")).check()
    page.wait_for_url("**kind=pipeline")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert len(lines) == _counted(page) + 1


def test_the_table_works_without_scripts(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, java_script_enabled=False) as page:
        page.goto("/catalog")
        page.get_by_role("checkbox", name=re.compile("^Pipeline")).check()
        page.get_by_label("Filter by words").fill("sales")
        page.get_by_role("button", name="Filter", exact=True).click()
        page.wait_for_url("**kind=pipeline**")
        assert "Ingest sales" in page.locator("#results tbody th a").all_inner_texts()


def test_a_phone_shows_entities_as_blocks_with_filters_that_come_when_asked(
    browser: Browser, reference_url: str
) -> None:
    with opened(browser, reference_url, viewport={"width": 390, "height": 800}) as page:
        page.goto("/catalog")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = page.get_by_role("checkbox", name=re.compile("^Pipeline"))
        expect(box).to_be_hidden()
        page.get_by_role("button", name="Filters").click()
        box.check()
        page.wait_for_url("**kind=pipeline")
        expect(box).to_be_visible()
        page.keyboard.press("Escape")
        expect(box).to_be_hidden()


@pytest.mark.parametrize("path", ["/catalog", "/catalog?kind=pipeline&q=sales&wide=type", "/catalog?tag=none"])
def test_axe_finds_nothing_wrong_with_the_table(path: str, page: Page) -> None:
    page.goto(path)

    assert violations(page) == []
