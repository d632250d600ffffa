"""Times tasks of a running Portal, from the request to the end, beside copier rendering the same files in-process."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from catalog import git

_BODY = "# {name}\n\n" + "".join(
    f"Line {number} of what {'{owner}' if number % 5 == 0 else 'a team'} makes of it, as it stands in most files.\n"
    for number in range(30)
)
_START_SECONDS = 120.0
SMALL, LARGE = 10, 500


def write_templates(folder: Path, sizes: list[int]) -> None:
    """Write a git repository of a template for each number of files: fetch:template, then debug:log."""
    folder.mkdir(parents=True)
    for size in sizes:
        steps = [
            {
                "id": "fetch",
                "action": "fetch:template",
                "input": {"url": f"./skeleton-{size}", "values": {"name": "${{ parameters.name }}", "owner": "team"}},
            },
            {"id": "log", "action": "debug:log", "input": {"message": "made ${{ parameters.name }}"}},
        ]
        template = {
            "apiVersion": "scaffolder.backstage.io/v1beta3",
            "kind": "Template",
            "metadata": {"name": f"files-{size}"},
            "spec": {"type": "service", "steps": steps, "parameters": {"properties": {"name": {"type": "string"}}}},
        }
        (folder / f"template-{size}.yaml").write_text(json.dumps(template), encoding="utf-8")
        _write_files(folder / f"skeleton-{size}", size, "${{ values.%s }}")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")


def write_copier(folder: Path, size: int) -> None:
    """Write the same files as copier has them."""
    _write_files(folder, size, "{{ %s }}", suffix=".jinja")
    (folder / "copier.yml").write_text("name: {type: str}\nowner: {type: str}\n", encoding="utf-8")


def _write_files(folder: Path, size: int, expression: str, *, suffix: str = "") -> None:
    for number in range(size):
        place = folder / f"part-{number % 5}" / f"{expression % 'name'}-{number}.md{suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        text = _BODY.replace("{name}", expression % "name").replace("{owner}", expression % "owner")
        place.write_text(text, encoding="utf-8")


def copier_seconds(folder: Path, *, times: int) -> float:
    """Return the seconds that copier takes in-process; the first time, which imports, does not count."""
    import copier  # noqa: PLC0415  # what it is compared with, not what is measured

    found = []
    for number in range(times + 1):
        target = folder.with_name(f"copied-{number}")
        started = time.perf_counter()
        copier.run_copy(str(folder), target, data={"name": "sensors", "owner": "team"}, defaults=True, quiet=True)
        found.append(time.perf_counter() - started)
        shutil.rmtree(target)
    return statistics.median(found[1:])


class Asking:
    """Asks a server on one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, path: str, body: Any = None) -> Any:
        """Return the JSON of an answer."""
        headers = {"content-type": "application/json"}
        content = None if body is None else json.dumps(body)
        try:
            self._connection.request("GET" if body is None else "POST", path, content, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except BaseException:
            self._connection.close()  # it would not be asked again
            raise
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{path}: {answer.status} {text!r}")
        return json.loads(text)

    def begin(self, size: int, name: str) -> str:
        """Begin a task and return its id."""
        body = {"templateRef": f"template:default/files-{size}", "values": {"name": name}}
        return str(self.ask("/api/scaffolder/v2/tasks", body)["id"])

    def wait(self, task: str) -> None:
        """Wait for the end of a task, as a client does."""
        after = 0
        while True:
            for event in self.ask(f"/api/scaffolder/v2/tasks/{task}/events?after={after}"):
                after = max(after, event["id"])
                if event["type"] == "completion":
                    if "error" in event["body"]:
                        raise RuntimeError(event["body"]["error"])
                    return

    def completed(self) -> int:
        """Return how many tasks are done."""
        return int(self.ask("/api/scaffolder/v2/tasks?status=completed&limit=0")["totalTasks"])


@contextmanager
def running(folder: Path, database: str, *, workers: int) -> Iterator[Asking]:
    """Run a server, which works itself without `workers`, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = ["--database", database]
    alone = [] if not workers else ["--no-worker"]
    commands = [["serve", "--port", str(port), *alone, *settings], *[["worker", *settings]] * workers]
    log = (folder / "portal.log").open("ab")
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", "portal", "--data", str(folder / "data"), *command],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ,
        )
        for command in commands
    ]
    try:
        asking = Asking(port)
        _await(lambda: asking.ask("/api/catalog/entities/by-name/template/default/files-10"), folder)
        yield asking
    finally:
        for process in begun:
            process.send_signal(signal.SIGINT)
        for process in begun:
            process.wait(timeout=60)
        log.close()


def _await(ask: Callable[[], Any], folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            ask()
        except (OSError, http.client.HTTPException, RuntimeError):
            if time.monotonic() > deadline:
                raise RuntimeError((folder / "portal.log").read_text("utf-8")) from None
            time.sleep(0.1)
        else:
            return


def task_seconds(asking: Asking, size: int, *, times: int) -> list[float]:
    """Return the seconds from request to end of tasks, one after the other; the first does not count."""
    found = []
    for number in range(times + 1):
        started = time.perf_counter()
        asking.wait(asking.begin(size, f"one-{number}"))
        found.append(time.perf_counter() - started)
    return found[1:]


def queued_seconds(asking: Asking, count: int) -> tuple[float, float]:
    """Return the seconds of so many requests, and until the last of their tasks is done."""
    before = asking.completed()
    started = time.perf_counter()
    for number in range(count):
        asking.begin(10, f"many-{number}")
    asked = time.perf_counter() - started
    while asking.completed() < before + count:
        time.sleep(0.1)  # often enough to tell, seldom enough not to be what is measured
    return asked, time.perf_counter() - started


def main() -> None:
    """Print seconds, tasks a second, ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", help="another database than SQLite in a temporary folder; it must be empty")
    parser.add_argument("--workers", type=int, default=0, help="workers beside a server that only answers")
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--times", type=int, default=15)
    arguments = parser.parse_args()
    sizes = [SMALL, LARGE]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_templates(folder / "templates", sizes)
        catalog = f"{(folder / 'templates').as_uri()}#main:template-*.yaml"
        (folder / "portal.toml").write_text(f'catalog = ["{catalog}"]\n', encoding="utf-8")
        database = arguments.database or f"sqlite:///{folder / 'portal.db'}"
        beside = {}
        for size in sizes:
            write_copier(folder / f"copier-{size}", size)
            beside[size] = copier_seconds(folder / f"copier-{size}", times=5)
        with running(folder, database, workers=arguments.workers) as asking:
            for size in sizes:
                found = task_seconds(asking, size, times=arguments.times if size == SMALL else 5)
                median = statistics.median(found)
                print(
                    f"a task of {size:>3} files  {median * 1000:>8.1f} ms (best {min(found) * 1000:.1f})"
                    f"   copier {beside[size] * 1000:>8.1f} ms   ratio {median / beside[size]:.2f}"
                )
            asked, whole = queued_seconds(asking, arguments.tasks)
            # What a machine can do changes within the minute.
            copier = statistics.mean([beside[SMALL], copier_seconds(folder / f"copier-{SMALL}", times=5)])
        rate = arguments.tasks / whole
        print(
            f"{arguments.tasks} tasks queued  {whole:>8.2f} s, {rate:.1f} a second (asked for in {asked:.2f} s)"
            f"   {rate * copier:.1f} in the time of copier"
        )


if __name__ == "__main__":
    main()
