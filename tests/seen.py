"""Pages as a person sees them: a real server, a real browser that notes every fault, axe's judgement."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from servers import ROOT
from werkzeug.serving import make_server

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings


@contextmanager
def served(folder: Path, fill: Callable[[Portal], object], **settings: object) -> Iterator[str]:
    """Serve a catalog that `fill` puts together; tasks run where it calls `portal.start()`."""
    overrides = {"data": str(folder / "data"), **settings}
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.migrate()
        fill(portal)
        server = make_server("127.0.0.1", 0, create_app(portal), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def reference(portal: Portal) -> None:
    """Fill a catalog with the organisation that Portal ships."""
    portal.ingest([("file", str(ROOT / "catalog-info.yaml"))])


@pytest.fixture(scope="module")
def reference_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the shipped organisation, for all tests of a module that only read."""
    with served(tmp_path_factory.mktemp("pages"), reference) as found:
        yield found


@pytest.fixture
def page(browser: Browser, reference_url: str) -> Iterator[Page]:
    """A page over the shipped organisation; no fault may have come up when the test ends."""
    with opened(browser, reference_url) as found:
        yield found


@contextmanager
def opened(browser: Browser, url: str, *, allowed: tuple[str, ...] = (), **options: object) -> Iterator[Page]:
    """Open a page in a fresh context, which asks nobody but the server of `url`.

    When the block ends without an error, nothing may have been written to the console as an error, no script may have
    failed, no answer may have been a fault, but for texts that contain one of `allowed`.
    """
    context: BrowserContext = browser.new_context(base_url=url, **options)  # type: ignore[arg-type]
    found = context.new_page()
    faults: list[str] = []
    own = (url, "data:", "blob:")
    found.on("console", lambda message: _note(faults, message.type in {"error", "warning"}, message.text))
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("request", lambda request: _note(faults, not request.url.startswith(own), request.url))
    found.on("response", lambda answer: _note(faults, answer.status >= 400, f"{answer.status} {answer.url}"))
    try:
        yield found
    finally:
        context.close()
    assert [fault for fault in faults if not any(text in fault for text in allowed)] == []


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with what the page shows now, in the light and in the dark."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # few tests need it

    # What is on its way is paler.
    expect(page.locator(".htmx-request")).to_have_count(0, timeout=30_000)
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        for rule in Axe().run(page).response["violations"]:
            found += [
                f"{scheme}: {rule['id']}: {node['html'][:200]}: {node['failureSummary']}" for node in rule["nodes"]
            ]
    page.emulate_media(color_scheme=None, reduced_motion=None)
    return found


def _note(faults: list[str], is_fault: bool, text: str) -> None:
    if is_fault:
        faults.append(text)
