"""Times the pages of a real server, weighs them, sees them painted by Chromium on a processor made 4 times slower."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ownership import write_repository
from playwright.sync_api import Browser, sync_playwright
from reads import _free_port, _serving

_WARM, _TIMES, _PAINTS = 10, 200, 5
_SLOWER = 4
#: So many entities a page of each is asked for, one after the other: nothing of them is remembered from before.
_ENTITIES = 50
_FEW = 10_000
_KILOBYTE = 1_000
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@dataclass(frozen=True)
class Aim:
    """What a page should keep to: server time at p95 (None: none is set), weight of the first visit, of the next."""

    few_milliseconds: float | None = None
    many_milliseconds: float | None = None
    first_bytes: int = 150 * _KILOBYTE
    next_bytes: int = 15 * _KILOBYTE
    paint_milliseconds: float = 1_000


_SET = Aim(30, 60)
_HEAVY = Aim(first_bytes=600 * _KILOBYTE)
#: What the wizard shows.
_TEMPLATE = Path(__file__).resolve().parent.parent / "scaffolder_templates" / "ai-project" / "template.yaml"
#: Pages by name: their paths, and what they should keep to. Those that Portal has not are left out.
_PAGES: Mapping[str, tuple[str, Aim]] = {
    "home": ("/", _SET),
    "catalog": ("/catalog", _SET),
    "catalog, filtered": ("/catalog?kind=component&q=c-1", _SET),
    "entity": ("{entity}", _SET),
    "owners": ("/owners", Aim()),
    "graph": ("/graph?root={ref}", _HEAVY),
    "layers": ("/layers", Aim()),
    "problems": ("/problems", Aim()),
    "projects": ("/projects", Aim()),
    "search": ("/search?q=c-1", Aim()),
    "create": ("/create", Aim()),
    "register": ("/register", Aim()),
    "tools": ("/tools", Aim()),
    "api reference": ("/tools/api?part=ownership", Aim()),
    "actions": ("/tools/actions", Aim()),
    "wizard": ("/create/templates/default/ai-project", _HEAVY),
}


def main() -> None:
    """Print a line for each page; what is over its aim is marked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=_FEW)
    parser.add_argument("--database", help="another database than SQLite in a temporary folder; it must be empty")
    parser.add_argument("--only", help="the one page to measure")
    arguments = parser.parse_args()
    pages = {name: page for name, page in _PAGES.items() if arguments.only in {None, name}}
    with _portal(arguments.entities, arguments.database) as base, sync_playwright() as playwright:
        chromium = os.environ.get("PORTAL_TEST_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        print(f"{arguments.entities:,} entities; * is over its aim")
        print(f"{'page':20} {'p50 ms':>8} {'p95 ms':>9} {'first kB':>10} {'next kB':>9} {'paint ms':>10}")
        refs = _refs(base)
        for name, (path, aim) in pages.items():
            paths = [path.format(ref=quote(ref), entity=_path(ref)) for ref in (refs if "{" in path else refs[:1])]
            times = _milliseconds(base, paths)
            if times is None:
                continue
            middle, slow = times
            limit = aim.few_milliseconds if arguments.entities <= _FEW else aim.many_milliseconds
            first, following, paint = _seen(browser, base + paths[0])
            told = [
                f"{middle:8.1f}",
                _told(slow, limit, 1),
                _told(first / _KILOBYTE, aim.first_bytes / _KILOBYTE, 1),
                _told(following / _KILOBYTE, aim.next_bytes / _KILOBYTE, 1),
                _told(paint, aim.paint_milliseconds, 0),
            ]
            print(f"{name:20} {' '.join(told)}", flush=True)
        browser.close()


@contextmanager
def _portal(entities: int, database: str | None) -> Iterator[str]:
    """Serve a catalog with layers, once it has been surveyed; yield the address."""
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary, "repository")
        write_repository(repository, entities=entities)
        named = database or f"sqlite:///{temporary}/portal.db"
        targets = [f"{repository.as_uri()}#main:all.yaml", str(_TEMPLATE)]
        portal = [sys.executable, "-m", "portal", "--data", f"{temporary}/data"]
        subprocess.run([*portal, "ingest", "--database", named, *targets], check=True, stdout=subprocess.DEVNULL)
        port = _free_port()
        catalogs = [text for target in targets for text in ("--catalog", target)]
        serve = [*portal, "serve", "--database", named, *catalogs, "--port", str(port)]
        base = f"http://127.0.0.1:{port}"
        with _serving(serve, f"{base}/.backstage/health/v1/readiness"):
            time.sleep(5)  # what it does beside its first requests is no part of this
            yield base


def _refs(base: str) -> list[str]:
    """Return references of some components, spread over all."""
    host = base.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", "/api/catalog/entities?filter=kind=component&fields=metadata.name&limit=5000")
    found = json.loads(connection.getresponse().read())
    names = sorted(item["metadata"]["name"] for item in found)
    return [f"component:default/{name}" for name in random.Random(1).sample(names, min(_ENTITIES, len(names)))]


def _path(ref: str) -> str:
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    return f"/catalog/{namespace}/{kind}/{name}"


def _milliseconds(base: str, paths: list[str]) -> tuple[float, float] | None:
    """Return the median and the 95th of a hundred times, to the answer's last byte; None for a page that is not."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=120)
    times = []
    for number in range(_WARM + _TIMES):
        begun = time.perf_counter()
        connection.request("GET", paths[number % len(paths)], headers={"Accept": "text/html"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            return None
        if number >= _WARM:
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def _seen(browser: Browser, url: str) -> tuple[int, int, float]:
    """Return the bytes of a first visit and of the next, as they come over the wire, and when something was painted."""
    first = following = 0
    paints = []
    for _ in range(_PAINTS):
        context = browser.new_context()
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
        received: list[float] = []

        def count(event: Mapping[str, Any], into: list[float] = received) -> None:
            into.append(event["encodedDataLength"])

        session.on("Network.loadingFinished", count)
        page.goto(url, wait_until="networkidle")
        first = int(sum(received))
        paints.append(
            page.evaluate("performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)")
        )
        received.clear()
        page.goto(url, wait_until="networkidle")
        following = int(sum(received))
        context.close()
    return first, following, statistics.median(found[0] for found in paints if found)


def _told(value: float, limit: float | None, places: int) -> str:
    mark = "*" if limit is not None and value > limit else " "
    return f"{value:9.{places}f}{mark}"


if __name__ == "__main__":
    main()
