"""The page of an entity in a real browser, over the reference organisation and one with everything in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import needs_chromium
from catalogs import component, documents, entity, group
from playwright.sync_api import Browser, Page
from repositories import MakeRepository
from seen import opened, served, violations

from portal.app import Portal

pytestmark = needs_chromium
SALES = "/catalog/default/dataset/sales-daily"
DEFINITION = (
    "{openapi: 3.0.0, info: {title: Pets, description: All **pets**}, paths: {/pets: {get: {summary: All pets, "
    "parameters: [{name: part, in: query, required: true, schema: {type: string, enum: [head]}}], responses: "
    '{"200": {description: They, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}}}}, '
    'components: {schemas: {Pet: {type: object, properties: {friend: {$ref: "#/components/schemas/Pet"}}}}}}'
)


@pytest.fixture
def rich(browser: Browser, tmp_path: Path, repo: MakeRepository) -> Iterator[Page]:
    """A page over an API that has been changed, broken, and whose owner is gone."""
    about = (
        "'# Pets\n\n  All *pets*: https://example.com, [guide](docs/guide.md)\n\n  ![logo](https://example.com/x.png)'"
    )
    api = entity("API", "pets", f"type: openapi, lifecycle: production, owner: team-a, definition: '{DEFINITION}'")
    api = api.replace("{name: pets}", "{name: pets, tags: [a, b], description: " + about + "}")
    made = repo({"x.yaml": documents(api, component("web", more="consumesApis: [pets]"), group("team-a"))})

    def fill(portal: Portal) -> None:
        portal.ingest([("url", f"{made.url}#:*.yaml")])
        changed = api.replace("[a, b]", "[b, c]")
        made.commit({"x.yaml": documents(changed, component("web", more="consumesApis: [pets]"))})
        portal.refresh.refresh()
        broken = changed.replace("owner: team-a", "owner: ''")
        made.commit({"x.yaml": documents(broken, component("web", more="consumesApis: [pets]"))})
        portal.refresh.refresh()

    with served(tmp_path, fill) as address, opened(browser, address, allowed=("404",)) as found:
        yield found


@pytest.mark.slow
def test_every_view_can_be_reached_and_has_no_fault(page: Page) -> None:
    page.goto(SALES)
    tabs = page.get_by_role("navigation", name="Views")
    names = tabs.get_by_role("link").all_inner_texts()
    assert names == ["Overview", "Relations", "Lineage", "Impact", "Problems", "History", "YAML"]

    for name in names:
        tabs.get_by_role("link", name=name).click()
        assert tabs.locator("[aria-current=page]").inner_text() == name
        assert violations(page) == []
    page.get_by_role("link", name="As processed").click()
    assert "relations:" in page.locator("#document-text").inner_text()
    page.go_back()
    assert page.get_by_role("heading", name="As its file declares it").is_visible()


def test_an_api_is_read_operation_by_operation(rich: Page) -> None:
    rich.goto("/catalog/default/api/pets")
    assert rich.locator(".problems").inner_text().startswith("error")
    assert rich.locator("#owner").locator("..").get_by_text("not in the catalog").is_visible()
    assert rich.get_by_role("link", name="logo").get_attribute("href") == "https://example.com/x.png"
    assert violations(rich) == []

    rich.get_by_role("link", name="Definition").click()
    rich.locator(".api-summary", has_text="All pets").click()
    assert rich.get_by_text("required", exact=True).is_visible()
    rich.locator("details[open] a.api-type", has_text="Pet").first.click()
    assert rich.locator("#type-1 code", has_text="friend").is_visible()
    assert violations(rich) == []

    rich.get_by_role("main").get_by_role("link", name="Problems").click()
    assert rich.get_by_text("spec.owner").is_visible()
    assert violations(rich) == []
    rich.get_by_role("link", name="History").click()
    assert rich.locator(".diff del").inner_text() == "- a"
    assert rich.locator(".diff ins").inner_text() == "- c"
    assert violations(rich) == []


def test_an_entity_is_removed_after_asking_and_its_page_says_so(rich: Page) -> None:
    rich.goto("/catalog/default/component/web")
    rich.get_by_role("link", name="Remove…").click()
    assert violations(rich) == []
    rich.get_by_role("button", name="Take it out of the catalog").click()

    rich.wait_for_url("**/web/history")
    assert rich.get_by_text("It is not in the catalog any more.").is_visible()
    assert violations(rich) == []
    rich.goto("/catalog/default/component/web")
    assert rich.get_by_role("heading", name="web is gone").is_visible()
    assert violations(rich) == []


def test_the_ref_is_copied_by_keyboard(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(SALES)
        page.get_by_role("button", name="Copy").focus()
        page.keyboard.press("Enter")

        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "dataset:default/sales-daily"


@pytest.mark.parametrize("view", ["", "?view=relations", "?view=lineage", "?view=impact", "?view=yaml", "/history"])
def test_each_view_fits_a_phone(browser: Browser, reference_url: str, view: str) -> None:
    with opened(browser, reference_url, viewport={"width": 390, "height": 800}) as page:
        page.goto(f"{SALES}{view}")

        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_works_without_scripts(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, java_script_enabled=False) as page:
        page.goto(SALES)
        page.get_by_role("link", name="Impact").click()

        assert page.get_by_role("heading", name="Whom to tell").is_visible()
