"""The pages of owners and of balance in a real browser, over the reference organisation."""

import pytest
from browsers import needs_chromium
from playwright.sync_api import Browser, Page, expect
from seen import opened, violations

pytestmark = needs_chromium


def test_a_reader_follows_the_tree_to_a_team_and_its_people(page: Page) -> None:
    page.goto("/owners")
    page.get_by_role("link", name="MLOps").click()

    page.wait_for_url("**/owners/group/default/mlops")
    expect(page.get_by_role("heading", level=1)).to_have_text("MLOps")
    portfolio = page.locator("section", has=page.locator("#portfolio"))
    assert portfolio.get_by_role("link", name="Sales by day").is_visible()
    people = page.locator("section", has=page.locator("#people"))
    people.get_by_role("link", name="Aiko Tanaka").click()
    page.wait_for_url("**/owners/user/default/aiko.tanaka")
    assert "runs training and serving" in page.locator("section", has=page.locator("#reach")).inner_text()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Owners").click()
    page.wait_for_url("**/owners")


def test_groups_are_found_while_the_name_is_typed_and_the_address_tells_it(page: Page) -> None:
    page.goto("/owners")
    page.keyboard.press("Tab")
    page.get_by_label("Find a group or a person").focus()
    page.keyboard.type("clo")

    page.wait_for_url("**/owners?q=clo")
    expect(page.locator("#found tbody tr")).to_have_count(1)
    expect(page.locator("#found")).to_contain_text("Cloud & Security")
    expect(page.get_by_label("Find a group or a person")).to_be_focused()
    page.get_by_role("link", name="People").click()
    expect(page.locator("#found")).to_contain_text("Nobody is called so")
    page.go_back()
    expect(page.locator("#found")).to_contain_text("Cloud & Security")


def test_what_takes_longer_comes_when_it_is_wanted(page: Page) -> None:
    page.goto("/owners/group/default/mlops")

    # By the keyboard: the card itself may be replaced while something scrolls to it.
    page.keyboard.press("End")
    expect(page.locator("#moves-card .change").first).to_have_text("gained")
    page.get_by_role("link", name="Compare").click()
    # The organisation that ships is read from a folder, whose history nobody knows.
    expect(page.locator("#drift-card")).to_contain_text("Of 19 entities it is not known")
    assert page.url.endswith("/owners/group/default/mlops")


def test_without_scripts_all_of_it_is_there_by_links(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, java_script_enabled=False) as page:
        page.goto("/owners?q=ml")
        page.get_by_role("link", name="MLOps").click()
        page.get_by_role("link", name="Look it up").click()
        assert page.locator("#moves-card .change").count() == 10
        page.get_by_role("link", name="Compare").click()
        assert "it is not known" in page.locator("#drift-card").inner_text()
        page.goto("/owners/group/default/machine-learning")
        page.get_by_role("link", name="Itself alone").click()
        assert page.locator(".figures dd").first.inner_text() == "1"


def test_the_balance_of_a_project_is_drawn_and_leads_to_who_could_help(page: Page) -> None:
    page.goto("/projects")
    page.get_by_role("link", name="Demand forecast").first.click()

    page.wait_for_url("**/projects/default/demand-forecast")
    row = page.locator(".picture tbody tr", has=page.get_by_role("rowheader", name="Project manager"))
    assert "one person alone" in row.inner_text()
    assert row.locator(".holds.direct").count() == 1
    page.locator(".todos").get_by_role("link", name="Peter Holm").click()
    page.wait_for_url("**/owners/user/default/peter.holm")


@pytest.mark.parametrize(
    "path",
    [
        "/owners",
        "/owners?view=people",
        "/owners?q=nobody-is-called-so",
        "/owners?root=group:default/platform",
        "/owners/group/default/acme",
        "/owners/group/default/mlops?moves=1&drift=1",
        "/owners/user/default/grace.kim",
        "/projects",
        "/projects/default/demand-forecast",
    ],
)
def test_axe_finds_nothing_wrong_and_a_phone_is_wide_enough(path: str, page: Page) -> None:
    page.goto(path)

    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
