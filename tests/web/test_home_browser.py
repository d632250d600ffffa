"""Home, layers and problems in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsers import needs_chromium
from catalogs import component, documents, entity, group
from playwright.sync_api import Browser, Page, expect
from repositories import MakeRepository
from seen import opened, served, violations

from portal.app import Portal

pytestmark = needs_chromium
PORTAL = "portal/v1alpha1"
POLICY = (
    "owner: makers, rule: portal/owner-role, severity: warn, reason: r, exemptions: "
    "[{entity: 'component:default/stone', reason: until the move, approver: makers, expires: '2999-01-01'}]"
)


@pytest.mark.parametrize("path", ["/", "/layers", "/layers/default/shared", "/problems"])
def test_axe_finds_nothing_wrong(path: str, page: Page) -> None:
    page.goto(path)

    assert violations(page) == []


def test_a_layer_leads_to_its_rules_and_to_what_is_reused(page: Page) -> None:
    page.goto("/")
    page.locator("section.band").get_by_role("link", name="Shared assets").click()

    page.wait_for_url("**/layers/default/shared")
    assert page.get_by_role("link", name="Cloud & Security engineer").first.is_visible()
    assert page.locator("section", has=page.locator("#reused")).get_by_role("link", name="Sales by day").is_visible()
    page.get_by_role("link", name="Layers").last.click()
    page.wait_for_url("**/layers")
    assert "The owner of an asset is a group or user of the catalog." in page.locator("table.rules").inner_text()


def test_problems_are_chosen_without_leaving_the_page_and_the_url_tells_it(
    browser: Browser, repo: MakeRepository, tmp_path: Path
) -> None:
    frame = documents(
        group("makers", more="roles: [maker]"),
        entity("Role", "maker", version=PORTAL),
        entity("Layer", "ground", "rank: 1, owner: makers, ownerRoles: [maker]", version=PORTAL),
        entity("Layer", "roof", "rank: 2, owner: makers, ownerRoles: [maker]", version=PORTAL),
        entity("Policy", "p", POLICY, version=PORTAL),
    )
    made = repo({"frame.yaml": frame, "a.yaml": component("sand", owner="gone", more="layer: ground")})

    def fill(portal: Portal) -> None:
        portal.ingest([("url", f"{made.url}#main:*.yaml")])
        stone = component("stone", owner="makers", more="layer: ground")
        made.commit({"b.yaml": stone, "bad.yaml": component("bad", owner="''")})
        portal.refresh.refresh()
        made.commit({"a.yaml": component("sand", owner="makers", more="layer: roof, dependsOn: ['component:stone']")})
        portal.refresh.refresh()
        made.commit({"c.yaml": component("stray", owner="gone")})
        portal.refresh.refresh()

    with served(tmp_path, fill) as address, opened(browser, address, viewport={"width": 1280, "height": 900}) as page:
        page.goto("/problems")
        page.evaluate("window.stays = true")
        filters = page.get_by_role("navigation", name="Filters")
        filters.get_by_role("link", name="portal/owner-exists").click()
        page.wait_for_url("**/problems?rule=portal/owner-exists")
        assert page.locator(".faults > li").count() == 1
        assert page.evaluate("window.stays") is True
        assert page.evaluate("document.activeElement.id") == "rule=portal/owner-exists"
        assert violations(page) == []
        page.go_back()
        expect(page.locator(".faults > li").nth(1)).to_be_visible(timeout=30_000)
        page.goto("/problems?severity=error")
        assert "spec.owner" in page.locator(".faults").inner_text()
        assert violations(page) == []

        page.goto("/layers")
        assert violations(page) == []
        rows = page.locator("section", has=page.locator("#exemptions")).locator("tbody tr")
        assert "until the move" in rows.inner_text()
        page.locator("#numbers-coverage summary").click()
        ground = page.locator("#numbers-coverage tbody tr td:nth-child(3)").all_inner_texts()
        assert ground == ["100 %", "100 %", "50 %", "0 %"]
        assert page.locator("svg.plot").first.locator("polyline").count() == 2
        page.set_viewport_size({"width": 390, "height": 800})
        for path in ("/layers", "/problems", "/"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_phone_shows_the_way_to_the_page_that_it_is_on(browser: Browser, reference_url: str) -> None:
    options = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    with opened(browser, reference_url, **options) as page:
        for path, name in (("/tools", "Tools"), ("/create", "Create"), ("/", "Home")):
            page.goto(path)
            here = page.get_by_role("navigation", name="Main").get_by_role("link", name=name)
            expect(here).to_be_in_viewport(ratio=0.9)
        expect(page.get_by_role("button", name="Commands")).to_have_text("Commands Ctrl K")
        expect(page.locator(".to-palette .key")).to_be_hidden()
