"""Times reads of a real server with 8 connections, beside a bare Flask route of the same server; needs `wrk`."""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, Response

from catalog import write_repository

_SECONDS = 3
#: What a stock Backstage answers a second at 10,000 entities, the better of SQLite and PostgreSQL; 0: no target here.
_QUESTIONS = {
    "by-name": ("/entities/by-name/component/default/{component}", 0),
    "page of 20": ("/entities/by-query?limit=20", 653),
    "filtered": ("/entities/by-query?limit=20&filter=kind=component,spec.type=service", 337),
    "filtered, ordered": ("/entities/by-query?limit=20&filter=kind=component&orderField=metadata.name,asc", 83),
    "full text": ("/entities/by-query?limit=20&filter=kind=component&fullTextFilterTerm=pay", 390),
    "owned by": ("/entities/by-query?limit=20&filter=relations.ownedBy=group:default/{group}", 778),
    "facets": ("/entity-facets?facet=kind&facet=spec.type", 472),
    "filtered facets": ("/entity-facets?facet=spec.type&filter=kind=component", 162),
}


def bare() -> Flask:
    """Return an application with one route that sends the bytes of an entity."""
    app = Flask("bare")
    content = Path(os.environ["BENCH_CONTENT"]).read_bytes()

    @app.get("/")
    def send() -> Response:
        return Response(content, content_type="application/json")

    return app


def main() -> None:
    """Print answers a second, their ratio to Backstage's or to the bare route, and the slowest hundredth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--database", help="another database than SQLite in a temporary folder; it must be empty")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary, "repository")
        write_repository(repository, entities=arguments.entities)
        database = arguments.database or f"sqlite:///{temporary}/portal.db"
        portal = [sys.executable, "-m", "portal", "--data", f"{temporary}/data"]
        target = f"{repository.as_uri()}#main:all.yaml"
        command = [*portal, "ingest", "--database", database, target]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        port = _free_port()
        serve = [*portal, "serve", "--database", database, "--catalog", target, "--port", str(port)]
        started = time.perf_counter()
        with _serving(serve, f"http://127.0.0.1:{port}/api/catalog/entities/by-query?limit=1&totalItems=exclude"):
            print(f"first answer of `portal serve` after {time.perf_counter() - started:.2f} s")
            time.sleep(3)  # what it does beside its first requests is no part of this
            base = f"http://127.0.0.1:{port}/api/catalog"
            names = {kind: _first(base, kind) for kind in ("component", "group")}
            content = Path(temporary, "entity.json")
            content.write_bytes(_get(base + _QUESTIONS["by-name"][0].format(**names)))
            rates = {name: _rate(base + path.format(**names)) for name, (path, _) in _QUESTIONS.items()}
        bare_port = _free_port()
        granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "--no-log"]
        environment = os.environ | {"BENCH_CONTENT": str(content), "PYTHONPATH": str(Path(__file__).parent)}
        command = [*granian, "--blocking-threads", "8", "--port", str(bare_port), "reads:bare"]
        with _serving(command, f"http://127.0.0.1:{bare_port}/", environment):
            plain = _rate(f"http://127.0.0.1:{bare_port}/")[0]
    print(f"{'bare Flask route':20} {plain:>8,.0f}/s")
    for name, (rate, slowest) in rates.items():
        known = _QUESTIONS[name][1]
        ratio = f"{rate / known:.1f} times Backstage" if known else f"{rate / plain:.2f} of the bare route"
        print(f"{name:20} {rate:>8,.0f}/s  p99 {slowest:>8}  {ratio}")


@contextmanager
def _serving(command: list[str], url: str, environment: dict[str, str] | None = None) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(600):
            try:
                _get(url)
                break
            except OSError:
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _rate(url: str) -> tuple[float, str]:
    command = ["wrk", "-t1", "-c8", f"-d{_SECONDS}s", "--latency", url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in printed:
        raise SystemExit(f"{url} failed:\n{printed}")
    slowest = re.search(r"^\s*99%\s+(\S+)", printed, re.MULTILINE)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", printed)
    return (float(rate[1]) if rate else 0.0), (slowest[1] if slowest else "")


def _first(base: str, kind: str) -> str:
    found = json.loads(_get(f"{base}/entities/by-query?limit=1&filter=kind={kind}"))
    return str(found["items"][0]["metadata"]["name"])


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
