"""Search and the palette as people use them, over the reference organisation."""

import re

import pytest
from browsers import needs_chromium
from playwright.sync_api import Page, expect
from seen import violations

pytestmark = needs_chromium


def test_the_field_above_every_page_suggests_entities(page: Page) -> None:
    page.goto("/kinds")
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Search")
    expect(field).to_be_focused()
    field.press_sequentially("sales by")
    option = page.get_by_role("option", name=re.compile("Sales by day"))
    expect(option).to_be_visible()
    assert field.get_attribute("aria-expanded") == "true"
    assert violations(page) == []
    field.press("ArrowDown")
    assert field.get_attribute("aria-activedescendant") == page.locator("[aria-selected=true]").first.get_attribute(
        "id"
    )
    field.press("Escape")
    expect(option).to_be_hidden()
    field.press("ArrowDown")
    expect(option).to_be_visible()
    field.press("ArrowDown")
    field.press("Enter")
    page.wait_for_url("**/catalog/default/dataset/sales-daily")


def test_what_was_searched_for_is_found_ranked_and_remembered(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("sales")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=sales")
    assert page.locator(".hits mark").first.inner_text().lower() == "sales"
    page.get_by_role("link", name=re.compile("^Dataset")).click()
    page.wait_for_url("**kind=dataset**")
    assert {text.split(" · ")[0] for text in page.locator(".hits .note").all_inner_texts()} == {"Dataset"}

    page.goto("/search")
    page.get_by_role("searchbox").press_sequentially("forecast", delay=20)
    expect(page.locator(".hits mark").first).to_have_text(re.compile("forecast", re.IGNORECASE))
    page.wait_for_url("**q=forecast")
    page.goto("/search")
    assert page.locator("#recent a").all_inner_texts() == ["forecast", "sales"]
    page.get_by_role("button", name="Forget them").click()
    expect(page.locator("#recent")).to_be_hidden()


def test_the_palette_reaches_pages_entities_and_actions_by_keyboard_alone(page: Page) -> None:
    page.goto("/kinds")
    page.keyboard.press("Control+k")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("combobox")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    page.keyboard.press("Control+k")
    page.keyboard.type("cata")
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog")

    page.keyboard.press("Control+k")
    page.keyboard.type("sales by day")
    expect(dialog.get_by_role("option", name=re.compile("Sales by day"))).to_have_attribute("aria-selected", "true")
    assert violations(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog/default/dataset/sales-daily")

    page.keyboard.press("Control+k")
    page.keyboard.type("中文")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans", timeout=30_000)


def test_the_palette_opens_by_its_button_and_asks_search_where_nothing_is_chosen(page: Page) -> None:
    page.goto("/kinds")
    page.get_by_role("button", name="Commands").click()
    page.keyboard.type("nothing that is there")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=nothing%20that%20is%20there")


@pytest.mark.parametrize("path", ["/search", "/search?q=sales&kind=dataset", "/search?q=nothingness"])
def test_axe_finds_nothing_wrong_with_search(path: str, page: Page) -> None:
    page.goto(path)

    assert violations(page) == []
