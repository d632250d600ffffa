"""Times `portal ingest` on a generated repository: all new, nothing new, one file new; beside the bare YAML parser."""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

import portal
from catalog import git, write_repository
from portal.app import build
from portal.config import load_settings


def main() -> None:
    """Print times, their ratio to the parser's, and the peak memory of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--database", help="another database than SQLite in a temporary folder; it must be empty")
    arguments = parser.parse_args()
    count = arguments.entities
    # As pip leaves an installed package: some environments tell Python to write no bytecode, and each start compiles.
    compileall.compile_dir(str(Path(portal.__file__).parent), quiet=1)
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary, "repository")
        texts = write_repository(repository, entities=count)
        database = arguments.database or f"sqlite:///{temporary}/portal.db"
        target = f"{repository.as_uri()}#main:all.yaml"
        started = time.process_time()
        for text in texts:
            for _ in yaml.load_all(text, Loader=yaml.CSafeLoader):
                pass
        parse = time.process_time() - started
        command = [sys.executable, "-m", "portal", "--data", f"{temporary}/data", "ingest", "--database", database]
        started = time.perf_counter()
        peak = _run([*command, target])
        whole = time.perf_counter() - started
        nothing, one = _again(temporary, database, repository)
    print(f"entities                          {count:>10,}")
    print(f"yaml.CSafeLoader alone            {parse:>10.2f} s  {count / parse:>10,.0f} documents/s")
    print(
        f"portal ingest, the whole command  {whole:>10.2f} s  {count / whole:>10,.0f} entities/s  peak {peak:,.0f} MB"
    )
    print(f"ratio                             {whole / parse:>10.2f}")
    print(f"refresh, nothing new              {nothing * 1000:>10.1f} ms")
    print(f"refresh, one file new             {one * 1000:>10.1f} ms")


def _run(command: list[str]) -> float:
    """Run a command; return the megabytes of its largest process: of all children git's, which packs, would be that."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_maxrss / 1024


def _again(temporary: str, database: str, repository: Path) -> tuple[float, float]:
    """Return the seconds of a refresh that finds nothing, and of one that finds a changed file; the best of three."""
    nothing, one = [], []
    overrides = {"data": f"{temporary}/data", "database": database}
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.refresh.refresh()
        changed = repository / "part-00000.yaml"
        for number in range(3):
            started = time.perf_counter()
            portal.refresh.refresh()
            nothing.append(time.perf_counter() - started)
            changed.write_text(changed.read_text("utf-8").replace("  title: ", f"  title: {number} ", 1), "utf-8")
            git(repository, "commit", "--quiet", "--all", "--message", f"change {number}")
            started = time.perf_counter()
            portal.refresh.refresh()
            one.append(time.perf_counter() - started)
    return min(nothing), min(one)


if __name__ == "__main__":
    main()
