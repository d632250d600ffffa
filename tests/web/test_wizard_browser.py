"""The form that fills in a template, in a real browser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import needs_chromium
from catalogs import component, documents, entity, group
from playwright.sync_api import Browser, Page, expect
from seen import opened, reference, served, violations

from portal.app import Portal

pytestmark = needs_chromium

PATIENT_MS = 60_000
EVERYTHING = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata:
  name: everything
  title: Everything
  description: "<b>All</b> that a form can ask for"
spec:
  type: thing
  owner: team-a
  presentation: {buttonLabels: {createButtonText: Make it, reviewButtonText: Look}}
  secrets: {schema: {type: object, properties: {key: {type: string}}}}
  parameters:
    - title: Fields
      description: "With *Markdown* and [a bad link](javascript:alert(1))"
      required: [name, about]
      properties:
        name: {type: string, title: Name, 'ui:field': EntityNamePicker, 'ui:autofocus': true}
        about: {type: string, title: About, 'ui:widget': textarea, 'ui:help': In a sentence}
        key: {type: string, title: Key, 'ui:field': Secret}
        phrase: {type: string, title: Phrase, 'ui:widget': password, 'ui:backstage': {review: {mask: hidden here}}}
        size: {type: integer, title: Size, minimum: 2, default: 3}
        colour: {type: string, title: Colour, enum: [r, g], enumNames: [Red, Green], 'ui:widget': radio}
        odd: {type: string, title: Odd, 'ui:field': MadeUp, 'ui:widget': made-up}
        free: {type: object, title: Free}
        parts:
          type: array
          title: Parts
          items: {type: object, required: [label], properties: {label: {type: string, title: Label}}}
        file: {type: string, format: data-url, title: File}
    - title: Pickers
      required: [owner]
      properties:
        owner: {type: string, title: Owner, 'ui:field': OwnerPicker, 'ui:options': {catalogFilter: {kind: Group}}}
        uses:
          type: array
          title: Uses
          items: {type: string}
          ui:field: MultiEntityPicker
          ui:options: {catalogFilter: {kind: Component}}
        mine: {type: string, title: Mine, 'ui:field': MyGroupsPicker}
        owned: {type: string, title: Owned, 'ui:field': OwnedEntityPicker}
        any: {type: string, title: Any, 'ui:field': EntityPicker, 'ui:options': {defaultKind: API}}
        tags: {type: array, title: Tags, items: {type: string}, 'ui:field': EntityTagsPicker}
        repoUrl:
          type: string
          title: Place
          ui:field: RepoUrlPicker
          ui:options: {allowedHosts: [github.com, gitlab.com]}
        branch: {type: string, title: Branch, 'ui:field': RepoBranchPicker}
        holder: {type: string, title: Holder, 'ui:field': RepoOwnerPicker, 'ui:options': {host: github.com}}
    - title: Conditions
      properties:
        deep: {type: boolean, title: Deeply}
        way: {type: string, title: Way, enum: [sea, air], default: sea}
      dependencies:
        deep:
          oneOf:
            - properties: {deep: {enum: [false]}}
            - {properties: {deep: {enum: [true]}, depth: {type: integer, title: Depth}}, required: [depth]}
      allOf:
        - if: {properties: {way: {const: air}}}
          then: {properties: {seat: {type: string, title: Seat}}, required: [seat]}
          else: {properties: {ship: {type: string, title: Ship}}}
  steps:
    - {id: say, name: Say it, action: debug:log, input: {message: "hello ${{ parameters.name }}"}}
    - id: lose
      name: Lose it
      action: fs:rename
      if: ${{ parameters.way === 'air' }}
      input: {files: [{from: x, to: y}]}
"""


@pytest.fixture(scope="module")
def everything_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a template that asks for everything."""
    folder = tmp_path_factory.mktemp("wizard")
    (folder / "catalog.yaml").write_text(
        documents(
            group("team-a"),
            group("team-b"),
            entity("User", "guest", "memberOf: [team-a]"),
            component("billing", owner="team-a"),
            component("orders", owner="team-b"),
            EVERYTHING,
        )
    )

    def fill(portal: Portal) -> None:
        portal.ingest([("file", str(folder / "catalog.yaml"))])
        portal.start()

    with served(folder, fill) as found:
        yield found


@pytest.fixture
def form(browser: Browser, everything_url: str) -> Iterator[Page]:
    """The page of that template."""
    with opened(browser, everything_url) as page:
        page.goto("/create/templates/default/everything")
        yield page


def headed(page: Page, title: str) -> None:
    """Wait for a step of the form."""
    expect(page.locator(".step h2")).to_have_text(title, timeout=PATIENT_MS)


def to_pickers(page: Page) -> None:
    page.get_by_label("Name").fill("thing")
    page.get_by_label("About").fill("It is a thing")
    page.get_by_role("button", name="Next").click()
    headed(page, "Pickers")


def to_conditions(page: Page) -> None:
    to_pickers(page)
    page.locator("#p2_owner").fill("team-a")
    page.get_by_role("option", name="team-a").click()
    page.get_by_role("button", name="Next").click()
    headed(page, "Conditions")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.textContent"))


def tab_to(page: Page, name: str) -> None:
    """Press the tabulator until something of that name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        label = page.evaluate(
            "(document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent).trim()"
        )
        if label.startswith(name):
            assert (
                page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
                or page.evaluate("getComputedStyle(document.activeElement).boxShadow") != "none"
            ), f"{name}: its focus cannot be seen"
            return
    raise AssertionError(f"no way to {name} by keyboard")


def test_the_keyboard_alone_makes_a_dataset_with_its_repository(browser: Browser, tmp_path: Path) -> None:
    def fill(portal: Portal) -> None:
        reference(portal)
        portal.start()

    with served(tmp_path, fill) as url, opened(browser, url) as page:
        page.goto("/create?q=shared+dataset")
        tab_to(page, "Shared dataset")
        page.keyboard.press("Enter")
        headed(page, "The dataset")
        tab_to(page, "Name")
        page.keyboard.type("Store Visits")
        tab_to(page, "Next")
        page.keyboard.press("Enter")
        expect(page.locator(".field-errors").first).to_be_visible()
        assert focused(page) == "p1_name"
        page.keyboard.press("Control+A")
        page.keyboard.type("store-visits")
        tab_to(page, "Description")
        page.keyboard.type("Visits of each store")
        tab_to(page, "Owner")
        page.keyboard.type("mlo")
        expect(page.get_by_role("option", name="MLOps")).to_be_visible(timeout=PATIENT_MS)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        headed(page, "What it is like")
        assert focused(page) == "step"
        assert page.url.endswith("?step=2")
        for heading in ("Its repository, and who answers for its checks and automation", "Review"):
            tab_to(page, "Next" if heading != "Review" else "Review")
            page.keyboard.press("Enter")
            headed(page, heading)
        tab_to(page, "Try it")
        page.keyboard.press("Enter")
        expect(page.locator("#tried")).to_have_text("This is what it would make", timeout=PATIENT_MS)
        assert 'name: "store-visits"' in page.locator(".file pre").inner_text()
        tab_to(page, "CODEOWNERS")
        page.keyboard.press("Enter")
        assert "* @mlops" in page.locator(".file pre").inner_text()
        assert not (tmp_path / "data/repositories/store-visits.git").exists()
        assert violations(page) == []
        page.locator("#step").focus()
        tab_to(page, "Create")
        page.keyboard.press("Enter")
        page.wait_for_url("**/create/tasks/*", timeout=PATIENT_MS)
        task = page.url.rpartition("/")[2]
        events = page.request.get(f"/api/scaffolder/v2/tasks/{task}/eventstream", timeout=PATIENT_MS).text()
        assert "completed" in events
        entity = page.request.get("/api/catalog/entities/by-name/dataset/default/store-visits").json()
        assert {"type": "ownedBy", "targetRef": "group:default/mlops"} in entity["relations"]
        assert "store-visits" not in page.evaluate("JSON.stringify(sessionStorage)")
        expect(page.get_by_role("link", name="Open in the catalog")).to_be_visible(timeout=PATIENT_MS)
        tab_to(page, "Open in the catalog")
        page.keyboard.press("Enter")
        page.wait_for_url("**/catalog/default/dataset/store-visits", timeout=PATIENT_MS)
        assert page.get_by_role("link", name="MLOps").first.is_visible()
        assert page.get_by_text("Visits of each store").first.is_visible()
    told = subprocess.run(
        ["git", "-C", str(tmp_path / "data/repositories/store-visits.git"), "show", "HEAD:README.md"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "Visits of each store" in told.stdout


def test_what_is_filled_in_survives_reload_and_the_ways_back_but_no_secret_does(form: Page) -> None:
    form.get_by_label("Key").fill("s3cret-key")
    form.get_by_label("Phrase").fill("s3cret-phrase")
    form.get_by_role("button", name="Add: Parts").click()
    form.get_by_label("Label").fill("wheel")
    form.get_by_label("Green").check()
    form.get_by_label("Free").fill('{"a": 1}')
    to_pickers(form)
    form.reload()
    headed(form, "Pickers")
    form.go_back()
    headed(form, "Fields")

    assert form.get_by_label("Name").input_value() == "thing"
    assert form.get_by_label("Label").input_value() == "wheel"
    assert form.get_by_label("Green").is_checked()
    assert form.get_by_label("Key").input_value() == form.get_by_label("Phrase").input_value() == ""
    kept = form.evaluate("JSON.stringify(sessionStorage)")
    assert "wheel" in kept
    assert "s3cret" not in kept
    assert "***" not in kept
    form.go_forward()
    headed(form, "Pickers")
    form.goto("/create/templates/default/everything?step=9")
    headed(form, "Pickers")  # its owner is missing
    form.get_by_role("button", name="Back").click()
    headed(form, "Fields")
    form.get_by_role("button", name="Start anew").click()
    expect(form.get_by_label("Name")).to_have_value("")


def test_values_of_an_earlier_task_can_be_given_by_the_url(form: Page) -> None:
    given = {"name": "again", "about": "Once more", "key": "***", "owner": "group:default/team-b"}
    form.goto(f"/create/templates/default/everything?formData={json.dumps(given)}")
    headed(form, "Fields")

    assert form.get_by_label("Name").input_value() == "again"
    assert form.get_by_label("Key").input_value() == ""
    assert "formData" not in form.url


def test_what_others_have_chosen_opens_fields(form: Page) -> None:
    to_conditions(form)

    assert form.get_by_label("Ship").is_visible()
    assert not form.get_by_label("Depth").is_visible()
    form.get_by_label("Deeply").check()
    form.get_by_label("Way").select_option("air")
    assert not form.get_by_label("Ship").is_visible()
    assert violations(form) == []
    form.get_by_role("button", name="Look").click()
    expect(form.locator(".field-errors")).to_have_count(2)
    assert focused(form) == "p3_depth" or focused(form) == "p3_seat"
    assert violations(form) == []
    form.get_by_label("Depth").fill("4")
    form.get_by_label("Seat").fill("12a")
    form.get_by_role("button", name="Look").click()
    headed(form, "Review")
    form.go_back()
    headed(form, "Conditions")
    form.get_by_label("Deeply").uncheck()
    form.get_by_label("Way").select_option("sea")
    form.get_by_role("button", name="Look").click()
    headed(form, "Review")
    review = form.locator(".review").last
    assert "Seat" not in review.inner_text()
    assert "Depth" not in review.inner_text()


def test_pickers_offer_what_the_catalog_has(form: Page) -> None:
    to_pickers(form)
    form.get_by_role("button", name="Next").click()
    expect(form.locator(".field-errors")).to_have_count(1)
    assert focused(form) == "p2_owner"
    form.get_by_label("Uses").fill("bill")
    form.get_by_role("option", name="billing").click()
    form.get_by_label("Uses").fill("component:default/elsewhere")
    form.get_by_label("Uses").press("Enter")
    assert form.locator(".chips li").all_inner_texts() == ["billing", "component:default/elsewhere"]
    form.get_by_label("Any").fill("pay")
    form.get_by_label("Any").press("Tab")
    assert form.get_by_label("Any").input_value() == "api:default/pay"
    form.get_by_label("Tags").fill("Fast, Small")
    form.get_by_label("Tags").press("Enter")
    form.locator("#p2_owner").click()
    expect(form.locator(".combobox [role=option]")).to_have_count(2)
    assert violations(form) == []
    form.keyboard.press("Escape")
    expect(form.locator(".combobox [role=option]")).to_have_count(0)
    form.locator("#p2_owner").fill("team-b")
    form.get_by_role("option", name="team-b").click()
    form.get_by_label("Host").select_option("github.com")
    form.get_by_role("button", name="Next").click()
    expect(form.get_by_text("The place of the repository is not complete")).to_be_visible()
    place = form.get_by_role("group", name="Place")
    place.get_by_label("Owner").fill("o w")
    place.get_by_label("Repository").fill("r")
    form.get_by_label("Branch").fill("main")
    form.get_by_role("button", name="Next").click()
    headed(form, "Conditions")
    form.get_by_role("button", name="Look").click()
    headed(form, "Review")

    said = form.locator(".review").nth(1).inner_text()
    for text in (
        "group:default/team-b",
        "component:default/billing",
        "fast",
        "small",
        "github.com?owner=o%20w&repo=r",
        "main",
    ):
        assert text in said
    assert violations(form) == []


def test_secrets_are_sent_and_never_shown(form: Page) -> None:
    form.get_by_label("Key").fill("s3cret-key")
    form.get_by_label("Phrase").fill("s3cret-phrase")
    to_conditions(form)
    form.get_by_role("button", name="Look").click()
    headed(form, "Review")

    assert "s3cret" not in form.content()
    assert "hidden here" in form.locator(".review").first.inner_text()
    with form.expect_request("**/api/scaffolder/v2/dry-run") as sent:
        form.get_by_role("button", name="Try it").click()
    assert sent.value.post_data_json["secrets"] == {"key": "s3cret-key"}
    assert sent.value.post_data_json["values"]["key"] == "*" * len("s3cret-key")
    expect(form.locator("#tried")).to_be_visible(timeout=PATIENT_MS)


def test_a_trial_that_fails_shows_how_far_it_came(form: Page) -> None:
    to_conditions(form)
    form.get_by_label("Way").select_option("air")
    form.get_by_label("Seat").fill("12a")
    form.get_by_role("button", name="Look").click()
    headed(form, "Review")
    form.get_by_role("button", name="Try it").click()

    expect(form.locator("#tried")).to_have_text("It fails", timeout=PATIENT_MS)
    assert form.locator(".tried-steps li").all_inner_texts() == ["Say it debug:log done", "Lose it fs:rename failed"]
    assert violations(form) == []


def test_what_an_author_writes_does_nothing_but_look(form: Page) -> None:
    headed(form, "Fields")

    assert focused(form) == "p1_name"
    assert form.locator("h1").inner_text() == "Everything"
    assert "<b>All</b>" in form.locator(".about .lead").inner_text()
    assert form.locator(".step em, .step i").inner_text() == "Markdown"
    assert form.locator(".step a").count() == 0
    assert "MadeUp" in form.locator(".step").inner_text()
    assert violations(form) == []


def test_what_the_server_refuses_stands_at_its_field(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, allowed=("400",)) as page:
        given = {"name": "x", "description": "x", "owner": "group:default/support-assistant"}
        page.goto(f"/create/templates/default/shared-dataset?step=4&formData={json.dumps(given)}")
        headed(page, "Review")
        page.get_by_role("button", name="Create", exact=True).click()
        headed(page, "The dataset")

        assert "portal/owner-role" in page.locator(".field-errors").inner_text()
        expect(page.get_by_label("Owner")).to_be_focused()
        assert violations(page) == []


@pytest.mark.parametrize("path", ["/create", "/create?layer=nonsense", "/create/templates/default/ai-project"])
def test_axe_finds_nothing_wrong_and_a_phone_shows_all(path: str, browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, viewport={"width": 390, "height": 800}) as page:
        page.goto(path)
        page.wait_for_load_state("networkidle")

        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_typing_narrows_the_gallery_down(page: Page) -> None:
    page.goto("/create")
    page.get_by_role("main").get_by_label("Search").fill("kubeflow")

    expect(page.locator(".offers h3")).to_have_text(["Pipeline component", "Training pipeline"])
    page.wait_for_url("**/create?q=kubeflow*")


def test_without_scripts_the_whole_form_is_there(browser: Browser, reference_url: str) -> None:
    with opened(browser, reference_url, java_script_enabled=False) as page:
        page.goto("/create/templates/default/shared-dataset")

        assert page.get_by_label("Classification").is_visible()
        page.get_by_label("Name").fill("x")
        page.goto("/create")
        page.get_by_role("main").get_by_label("Search").fill("kubeflow")
        page.get_by_role("button", name="Show").click()
        assert page.locator(".offers h3").all_inner_texts() == ["Pipeline component", "Training pipeline"]
