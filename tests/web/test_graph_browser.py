"""The graph explorer in a real browser, over the shipped organisation."""

import gzip
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from browsers import needs_chromium
from playwright.sync_api import Browser, Page, expect
from seen import opened, violations

from portal.web.answers import content_policy
from portal.web.assets import asset_name

pytestmark = needs_chromium

ROOT = "/graph?root=dataset:default/sales-daily"
#: What Cytoscape draws, told by the drawing itself: where a node's middle is on the page.
PLACE = """id => {
  const drawn = document.getElementById("stage-canvas")._cyreg.cy;
  const { x, y } = drawn.getElementById(id).renderedPosition();
  const box = document.getElementById("stage-canvas").getBoundingClientRect();
  return [x + box.x, y + box.y, drawn.nodes(".entity").length];
}"""

IS_DRAWN = "() => document.getElementById('stage-canvas')._cyreg?.cy"


def entry(page: Page, name: str) -> str:
    found = page.locator(".explorer-entry", has=page.locator(".explorer-name", has_text=re.compile(f"^\\s*{name}\\s")))
    return found.first.get_attribute("id") or ""


def drawn(page: Page, name: str) -> tuple[float, float, int]:
    page.wait_for_function(IS_DRAWN)
    return tuple(page.evaluate(PLACE, entry(page, name)))


def test_a_click_expands_an_entity_and_the_way_back_is_the_browsers(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, reduced_motion="reduce") as page:
        page.goto(ROOT)
        x, y, before = drawn(page, "Shop features")
        assert before == page.locator(".explorer-entry").count()
        page.mouse.click(x, y)

        page.wait_for_url(re.compile("expand=featureset"))
        expect(page.locator(".explorer-entry.is-chosen .explorer-name a")).to_have_text("Shop features")
        assert drawn(page, "Shop features")[2] > before
        page.go_back()
        expect(page.locator(".explorer-entry")).to_have_count(before)
        assert drawn(page, "Shop features")[2] == before


def test_filters_are_followed_at_once_and_stand_in_the_address(page: Page) -> None:
    page.goto(ROOT)
    page.locator("summary", has_text="Relations").click()
    page.get_by_label("derived from").check()

    page.wait_for_url(re.compile("relation=derivedFrom"))
    expect(page.locator(".explorer-entry")).to_have_count(3)
    # The menu stays open for the next choice, and Escape closes it.
    page.get_by_label("owned by").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_label("owned by")).to_be_hidden()
    page.get_by_label("Steps").select_option("2")
    page.wait_for_url(re.compile("depth=2"))
    assert "direction" not in page.url
    assert page.locator("select[name=depth]").input_value() == "2"


def test_two_entities_are_looked_for_by_words_and_the_way_is_shown(page: Page) -> None:
    page.goto("/graph")
    page.get_by_label("Begin at").fill("forecast service")
    page.keyboard.press("Enter")
    page.locator(".explorer-offers").get_by_role("link", name="Forecast service").click()
    page.wait_for_url(re.compile("root=component"))
    page.get_by_label("Ways to").fill("dataset:default/sales-daily")
    page.keyboard.press("Enter")

    expect(page.locator(".explorer-way a")).to_have_text(
        ["Forecast service", re.compile("."), "Shop features", "Sales by day"]
    )
    assert drawn(page, "Shop features")[2] == page.locator(".explorer-entry").count() > 4


def test_the_list_and_the_drawing_choose_the_same(page: Page) -> None:
    page.goto(ROOT)
    page.wait_for_function(IS_DRAWN)
    page.locator(f"#{entry(page, 'Ingest sales')} .explorer-name a").focus()

    chosen = "document.getElementById('stage-canvas')._cyreg.cy.nodes('.is-chosen').map(node => node.id())"
    assert page.evaluate(chosen) == [entry(page, "Ingest sales")]
    assert page.url.endswith(f"#{entry(page, 'Ingest sales')}")
    page.reload()
    page.wait_for_function(IS_DRAWN)
    assert page.evaluate(chosen) == [entry(page, "Ingest sales")]


def test_the_drawing_is_saved(page: Page, tmp_path: Path) -> None:
    page.goto(f"{ROOT}&impact=1")
    for name, check in (("SVG", _is_svg), ("PNG", lambda content: content.startswith(b"\x89PNG"))):
        with page.expect_download() as waited:
            page.get_by_role("button", name=name).click()
        waited.value.save_as(tmp_path / name)
        assert check((tmp_path / name).read_bytes())


def _is_svg(content: bytes) -> bool:
    texts = [element.text for element in ET.fromstring(content).iter("{http://www.w3.org/2000/svg}text")]
    return {"Shared assets", "Sales by day", "dataset"} <= set(texts)


def test_colours_follow_the_system_while_the_page_is_open(page: Page) -> None:
    ground = "document.getElementById('stage-canvas')._cyreg.cy.nodes('.entity').style('background-color')"
    page.emulate_media(color_scheme="light")
    page.goto(ROOT)
    drawn(page, "Sales by day")
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")

    page.wait_for_function(f"() => {ground} !== {json.dumps(light)}")


def test_without_scripts_the_list_says_it_all(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, java_script_enabled=False) as page:
        page.goto(ROOT)
        assert page.locator(".stage").is_hidden()
        before = page.locator(".explorer-entry").count()
        page.locator(".act.expand").first.click()
        assert page.locator(".explorer-entry").count() > before
        page.get_by_label("Steps").select_option("2")
        page.get_by_role("button", name="Show").click()
        assert "depth=2" in page.url


@pytest.mark.parametrize(
    "path", ["/graph", f"{ROOT}&impact=1&depth=2", "/graph?root=nothing-like-it", "/graph?root=sales"]
)
def test_axe_finds_nothing_wrong(path: str, page: Page) -> None:
    page.goto(path)
    if page.locator("#drawing").count():
        page.wait_for_function(IS_DRAWN)

    assert violations(page) == []


def test_it_fits_a_phone(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, viewport={"width": 390, "height": 800}) as page:
        page.goto(f"{ROOT}&impact=1")
        page.wait_for_function(IS_DRAWN)

        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "names"),
    [
        ('data-graph-url="/api/ownership/graph?root=dataset:default/sales-daily"', {"Shop features", "MLOps"}),
        ('data-lineage="/api/ownership/lineage/dataset/default/sales-daily"', {"Sales, raw", "Forecast service"}),
    ],
)
def test_a_small_graph_leads_to_the_pages_of_what_it_shows(page: Page, place: str, names: set[str]) -> None:
    # Any page may hold one: this is one that does, with Portal's own policy, style and scripts.
    assets = {name: asset_name(name) for name in ("style.css", "graph.js")}
    body = (
        f'<!doctype html><link rel="stylesheet" href="/static/{assets["style.css"]}"><h1>Small</h1><div {place}></div>'
        f'<script type="module" src="/static/{assets["graph.js"]}"></script>'
    )
    headers = {"Content-Type": "text/html", "Content-Security-Policy": content_policy()}
    page.route("**/small", lambda route: route.fulfill(body=body, headers=headers))
    page.goto("/small")

    page.wait_for_function("() => document.querySelector('.small-canvas')?._cyreg?.cy")
    small = "document.querySelector('.small-canvas')._cyreg.cy"
    titles = page.evaluate(f"{small}.nodes('.entity').map(node => node.data('label').split('\\n')[0])")
    assert names <= set(titles)
    page.evaluate(f"{small}.getElementById('featureset:default/shop-features').emit('tap')")
    page.wait_for_url("**/catalog/default/featureset/shop-features")


def test_all_that_the_page_loads_is_light(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url) as page:
        sizes: list[int] = []
        page.on("response", lambda answer: sizes.append(len(gzip.compress(answer.body()))))
        page.goto(f"{ROOT}&depth=3")
        page.wait_for_load_state("networkidle")

    assert sum(sizes) < 600_000
