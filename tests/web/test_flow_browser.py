"""A day's work in a real browser, over the shipped organisation: a repository comes in, its owners are followed."""

from __future__ import annotations

from pathlib import Path

from browsers import needs_chromium
from playwright.sync_api import Browser
from repositories import Repository
from seen import opened, reference, served

from portal.app import Portal

pytestmark = needs_chromium

FILE = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: price-list, title: Price list}
spec: {type: service, lifecycle: production, owner: mlops, layer: shared, dependsOn: ["dataset:sales-daily"]}
"""


def test_a_repository_is_registered_found_and_followed_to_its_owner_and_to_what_it_needs(
    browser: Browser, tmp_path: Path
) -> None:
    urls: list[str] = []

    def fill(portal: Portal) -> None:
        reference(portal)
        made = Repository(portal.settings.repositories / "price-list")
        made.commit({"catalog-info.yaml": FILE})
        urls.append(made.url)

    with served(tmp_path, fill) as address, opened(browser, address) as page:
        page.goto("/")
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Register").click()
        page.get_by_label("Address of a repository").fill(urls[0])
        page.get_by_role("button", name="Look").click()
        page.get_by_role("heading", name="It would bring 1 entity").wait_for()
        coming = page.get_by_role("row", name="Price list")
        assert coming.get_by_role("link", name="MLOps").is_visible()
        assert coming.get_by_role("link", name="Shared assets").is_visible()
        assert page.get_by_text('Nobody with the role cloud-security is named as steward for "checks".').is_visible()
        page.get_by_role("button", name="Register anyway").click()

        page.get_by_role("heading", name="1 entity in the catalog").wait_for()
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Catalog").click()
        page.get_by_label("Filter by words").fill("price")
        page.wait_for_url("**/catalog?q=price")
        page.get_by_role("row", name="Price list").get_by_role("link", name="Price list").click()
        page.wait_for_url("**/catalog/default/component/price-list")
        page.get_by_role("link", name="MLOps").first.click()
        page.wait_for_url("**/group/**mlops")
        page.go_back()
        page.wait_for_url("**/catalog/default/component/price-list")
        page.get_by_role("link", name="Sales by day").first.click()
        page.wait_for_url("**/catalog/default/dataset/sales-daily")
        assert page.get_by_role("link", name="Price list").first.is_visible()
