"""The pages of tasks and upgrades in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browsers import needs_chromium
from catalogs import component, documents, group
from playwright.sync_api import Browser, Page, expect
from repositories import Repository
from seen import opened, served, violations
from servers import free_port, serving
from waiting import eventually

from portal.app import Portal
from portal.services.generation import Generation

pytestmark = needs_chromium

STORY = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: story, title: A service with a story}
spec:
  type: service
  owner: team-a
  parameters:
    - properties: {name: {type: string}, seconds: {type: number}}
  steps:
    - id: say
      name: Say hello
      action: debug:log
      input: {message: "\\x1b[32minfo\\x1b[39m: hello"}
    - {id: wait, name: Wait a moment, action: debug:wait, input: {seconds: "${{ parameters.seconds }}"}}
    - id: find
      name: Find the thing
      action: catalog:fetch
      input: {entityRef: "component:default/${{ parameters.name }}"}
    - {id: warn, name: Warn, action: debug:log, input: {message: "WARNING: nearly done"}}
  output:
    links: [{title: Open the thing, entityRef: "component:default/${{ parameters.name }}"}]
    text: [{title: What next, content: "Do **this**."}]
"""
PIN = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: pin, title: Pinned text}
spec:
  type: service
  owner: team-a
  steps:
    - {id: fetch, action: fetch:plain, input: {url: ./skeleton}}
    - {id: publish, action: publish:git, input: {name: any}}
"""
MADE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: %s
  annotations: {backstage.io/source-template: "template:default/pin", portal/template-commit: %s}
spec: {type: service, lifecycle: experimental, owner: team-a}
"""


@dataclass
class Site:
    """A server with templates, of which one has made three repositories that are behind."""

    url: str
    portal: Portal
    folder: Path
    made: dict[str, Repository]

    def begin(self, **values: object) -> str:
        """Begin a task and return the path of its page."""
        return f"/create/tasks/{self.portal.scaffolding.create_task('template:default/story', values)}"

    def add(self, name: str) -> None:
        """Put a component into the catalog."""
        made = Repository(self.folder / f"late-{name}")
        made.commit({"catalog-info.yaml": component(name, owner="team-a")})
        self.portal.ingest([("url", made.url)])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tasks")
    portals: list[Portal] = []
    repositories: dict[str, Repository] = {}

    def fill(portal: Portal) -> None:
        portals.append(portal)
        source = Repository(folder / "templates")
        there = documents(STORY, group("team-a"), component("there", owner="team-a"))
        source.commit({"catalog-info.yaml": there})
        pin = Repository(folder / "pin")
        first = pin.commit({"template.yaml": PIN, "skeleton/text.txt": "one\n"})
        pin.commit({"skeleton/text.txt": "two\n"})
        portal.ingest([("url", source.url), ("url", f"{pin.url}#main:template.yaml")])
        record = Generation.parse(f"template: pin\ncommit: {first}\n".encode(), place="").to_text()
        for name, text in (("plain", "one\n"), ("other", "one\n"), ("changed", "three\n")):
            made = repositories[name] = Repository(folder / name)
            made.commit(
                {"catalog-info.yaml": MADE % (name, first), "text.txt": "one\n", ".portal/answers.yaml": record}
            )
            made.commit({"text.txt": text})
            portal.ingest([("url", made.url)])
        portal.jobs.start(worker=True)

    with served(folder, fill) as url:
        yield Site(url, portals[0], folder, repositories)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    with opened(browser, site.url) as found:
        yield found


def test_a_task_is_followed_while_it_runs_and_tells_what_it_made(page: Page, site: Site) -> None:
    page.goto(site.begin(name="there", seconds=3))
    page.evaluate("window.isSamePage = true")

    expect(page.get_by_text("Step 2 of 4 runs: Wait a moment")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("All steps are done.")).to_be_visible(timeout=60_000)
    link = page.get_by_role("link", name="Open the thing")
    expect(link).to_be_visible()
    expect(page.locator(".task-text strong")).to_have_text("this")
    assert page.locator(".steps .state").all_inner_texts() == ["done"] * 4
    page.locator("summary", has_text="Say hello").click()
    expect(page.locator(".log .info span")).to_have_text("info: hello")
    page.locator("summary", has_text="Warn").click()
    expect(page.locator(".log .warn span")).to_have_text("WARNING: nearly done")
    assert page.evaluate("window.isSamePage"), "the page was loaded anew"
    before = page.locator(".steps .log li").count()
    page.reload()
    assert page.locator(".steps .log li").count() == before
    page.get_by_role("link", name="Open the thing").click()
    page.wait_for_url("**/catalog/default/component/there")


def test_a_task_that_failed_is_retried_from_the_failed_step(page: Page, site: Site) -> None:
    page.goto(site.begin(name="late", seconds=0))
    expect(page.get_by_text("The task failed.")).to_be_visible(timeout=60_000)
    expect(page.locator(".fault")).to_contain_text("component:default/late not found")
    site.add("late")

    page.get_by_role("button", name="Retry from the failed step").press("Enter")

    expect(page.get_by_text("All steps are done.")).to_be_visible(timeout=60_000)
    assert "attempt 2" in page.locator(".eyebrow").inner_text()
    page.locator("summary", has_text="Say hello").click()
    expect(page.get_by_text("Step Say hello is already completed")).to_be_visible()
    path = page.url
    page.get_by_role("button", name="Start over").click()
    page.wait_for_url(lambda url: url != path)
    expect(page.get_by_text("All steps are done.")).to_be_visible(timeout=60_000)


def test_a_task_is_cancelled(page: Page, site: Site) -> None:
    page.goto(site.begin(name="there", seconds=500))
    expect(page.get_by_text("Step 2 of 4 runs")).to_be_visible(timeout=60_000)

    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_text("The task was cancelled.")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Start over")).to_be_visible()


def test_without_scripts_a_task_is_shown_as_it_is_now(browser: Browser, site: Site) -> None:
    with opened(browser, site.url, java_script_enabled=False) as page:
        page.goto(site.begin(name="there", seconds=1))
        page.get_by_role("link", name="Reload every few seconds").click()

        expect(page.get_by_text("All steps are done.")).to_be_visible(timeout=60_000)
        assert page.locator("noscript meta").count() == 0


def test_tasks_are_listed_by_what_is_asked_for(page: Page, site: Site) -> None:
    running = site.begin(name="there", seconds=500).rpartition("/")[2]
    done = site.begin(name="there", seconds=0).rpartition("/")[2]
    list(site.portal.scaffolding.event_stream(done))
    page.goto("/create/tasks")
    page.get_by_role("link", name=re.compile("^running")).click()
    expect(page.locator(f"#task-{running}")).to_be_visible()
    expect(page.locator(f"#task-{done}")).to_have_count(0)

    site.portal.scaffolding.cancel(running)
    expect(page.locator(f"#task-{running}")).to_have_count(0, timeout=60_000)
    page.go_back()
    page.get_by_label("Order").select_option("oldest")
    page.wait_for_url("**order=oldest")
    expect(page.locator(".task-name").last).to_have_attribute("id", f"task-{done}")


def test_what_templates_made_is_brought_up_to_date(page: Page, site: Site) -> None:
    page.goto("/create/upgrades")
    plain = page.locator("tr", has_text="plain")
    assert "1 change behind" in plain.inner_text()

    plain.get_by_role("button", name="See what would change").click()
    expect(page.locator(".diff .plus", has_text="+two")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Upgrade all 3")).click()
    results = page.locator(".upgrade-result")
    expect(results).to_have_count(3)
    assert "pushed" in results.filter(has_text="plain").inner_text()
    assert "conflict" in results.filter(has_text="changed").locator("h3").inner_text()
    branch = results.filter(has_text="plain").locator("p code").first.inner_text()
    assert branch in site.made["plain"].git("branch", "--list", branch)


def test_axe_finds_nothing_wrong(browser: Browser, site: Site) -> None:
    done, failed = site.begin(name="there", seconds=0), site.begin(name="nothing", seconds=0)
    for path in (done, failed):
        list(site.portal.scaffolding.event_stream(path.rpartition("/")[2]))
    live = site.begin(name="there", seconds=500)
    with opened(browser, site.url) as page:
        for path in (done, failed, live, "/create/tasks", "/create/tasks?page=9", "/create/upgrades"):
            page.goto(path)
            page.evaluate("for (const found of document.querySelectorAll('.steps details')) found.open = true")
            assert violations(page) == [], path
            page.set_viewport_size({"width": 390, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
            page.set_viewport_size({"width": 1280, "height": 800})
    site.portal.scaffolding.cancel(live.rpartition("/")[2])


@pytest.mark.slow
def test_a_page_goes_on_after_the_server_was_restarted(browser: Browser, tmp_path: Path) -> None:
    source = Repository(tmp_path / "templates")
    source.commit({"catalog-info.yaml": documents(STORY, group("team-a"), component("there", owner="team-a"))})
    port = free_port()
    with serving(tmp_path, "--catalog", source.url, port=port) as server:
        values = {"name": "there", "seconds": 20}
        status, answer = server.ask(
            "/api/scaffolder/v2/tasks", method="POST", body={"templateRef": "template:default/story", "values": values}
        )
        assert status == 201, answer
        context = browser.new_context(base_url=server.url)
        page = context.new_page()
        page.goto(f"/create/tasks/{answer['id']}")
        expect(page.get_by_text("Step 2 of 4 runs")).to_be_visible(timeout=60_000)
        page.evaluate("window.isSamePage = true")
        server.kill()
    with serving(tmp_path, "--catalog", source.url, port=port) as server:
        path = f"/api/scaffolder/v2/tasks/{answer['id']}"
        eventually(lambda: server.ask(path)[1]["status"] == "completed", "the task to be taken up again", seconds=300)
        expect(page.get_by_text("All steps are done.")).to_be_visible(timeout=60_000)
        assert page.evaluate("window.isSamePage")
        assert page.get_by_text("Waiting for 20 s").count() == 2  # the step was broken off, and run again
        context.close()
