"""Takes pictures of every page, light, dark, on a phone, over the organisation that Portal ships."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Any

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--hide-scrollbars"]
_LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5},
}
#: A picture is made coarser until it is as small.
_MOST_BYTES = 60_000
_QUALITIES = (85, 75, 65, 50, 35, 20)
_DEADLINE_SECONDS = 120
_AUTHOR = ("-c", "user.name=Ann Author", "-c", "user.email=ann@example.com")
#: Pages by the name of their pictures. Those that are not there are left out.
PAGES = {
    "home": "/",
    "catalog": "/catalog?kind=dataset",
    "entity": "/catalog/default/dataset/sales-daily",
    "history": "/catalog/default/dataset/sales-daily/history",
    "owners": "/owners",
    "owner": "/owners/group/default/mlops",
    "projects": "/projects",
    "project": "/projects/default/demand-forecast",
    "graph": "/graph?root=dataset:default/sales-daily",
    "layers": "/layers",
    "problems": "/problems",
    "register": "/register",
    "create": "/create",
    "wizard": "/create/templates/default/shared-dataset",
    "task": "/create/tasks/{task}",
    "tasks": "/create/tasks",
    "upgrades": "/create/upgrades",
    "search": "/search?q=sales",
    "tools": "/tools",
    "api": "/tools/api?part=ownership",
    "actions": "/tools/actions?q=fetch",
    "kinds": "/kinds",
    "missing": "/catalog/default/dataset/gone",
}
_TASK = {
    "templateRef": "template:default/shared-dataset",
    "values": {
        "name": "store-visits",
        "description": "Visits of each store, by hour",
        "owner": "group:default/mlops",
        "datasetType": "table",
        "format": "csv",
        "classification": "internal",
        "checksSteward": "group:default/cloud-security",
        "automationSteward": "group:default/devops",
    },
}
#: What somebody is about to register: it names an owner who may, and a dataset that is not there.
_FILE = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: price-list, title: Price list, description: Prices of the day for every store}
spec: {type: service, lifecycle: production, owner: mlops, layer: shared, dependsOn: [dataset:sales-daily, dataset:x]}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: price-list, title: Price list API}
spec: {type: openapi, lifecycle: production, owner: mlops, layer: shared, definition: "openapi: 3.1.0"}
"""


def main() -> None:
    """Write the pictures beside this file."""
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as base, sync_playwright() as playwright:
        repository = _repository(Path(folder))
        task = _made(base)
        chromium = os.environ.get("PORTAL_TEST_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        for look, options in _LOOKS.items():
            context = browser.new_context(base_url=base, reduced_motion="reduce", **options)
            page = context.new_page()
            for name, path in PAGES.items():
                answer = page.goto(path.format(task=task), wait_until="networkidle")
                if answer is not None and (answer.status == 404) == (name == "missing"):  # noqa: PLR2004
                    _take(page, HERE / f"{name}-{look}.webp")
            if look != "dark":
                _rehearsed(page, repository, HERE / f"register-look-{look}.webp")
            context.close()
        browser.close()


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve the shipped catalog, read from this checkout; yield the address once it answers."""
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "portal", "--data", str(folder / "data"), "serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, cwd=folder)
    base = f"http://127.0.0.1:{port}"
    try:
        _until(lambda: _asked(f"{base}/api/catalog/entities/by-name/dataset/default/sales-daily"))
        yield base
    finally:
        process.terminate()
        process.wait()


def _made(base: str) -> str:
    """Have a template make a repository; return the id of the task when it is over."""
    task = str(_asked(f"{base}/api/scaffolder/v2/tasks", _TASK)["id"])
    over = {"completed", "failed", "cancelled"}
    _until(lambda: _asked(f"{base}/api/scaffolder/v2/tasks/{task}")["status"] in over)
    return task


def _repository(folder: Path) -> str:
    """Make a repository where Portal may read it; return its address."""
    made = folder / "data" / "repositories" / "price-list"
    made.mkdir(parents=True)
    (made / "catalog-info.yaml").write_text(_FILE, encoding="utf-8")
    for arguments in (("init", "--quiet"), ("add", "--all"), (*_AUTHOR, "commit", "--quiet", "--message", "first")):
        subprocess.run(["git", *arguments], cwd=made, check=True)
    return made.as_uri()


def _rehearsed(page: Page, repository: str, picture: Path) -> None:
    """Take the picture of what registering a repository would bring."""
    page.goto("/register", wait_until="networkidle")
    page.locator("#target").fill(repository)
    page.locator("form.look button").click()
    page.locator("#verdict, #fault").wait_for()
    _take(page, picture)


def _take(page: Page, picture: Path) -> None:
    session = page.context.new_cdp_session(page)
    for quality in _QUALITIES:
        told = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
        content = base64.b64decode(told["data"])
        if len(content) <= _MOST_BYTES:
            break
    session.detach()
    picture.write_bytes(content)
    sys.stdout.write(f"{picture.relative_to(ROOT)} {len(content):,} bytes\n")


def _asked(url: str, body: Any = None) -> Any:
    """Return what a route answers; None where nothing answers, or not with what was asked for."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
    except (urllib.error.URLError, ConnectionError):
        if body is not None:
            raise
        return None


def _until(holds: Any) -> None:
    ends = time.monotonic() + _DEADLINE_SECONDS
    while not holds():
        if time.monotonic() > ends:
            raise SystemExit(f"Waited {_DEADLINE_SECONDS} s in vain")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
