"""Times the whole `portal ingest` command on a generated repository, beside the bare YAML parser on the same text."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

DOCUMENTS_A_FILE = 10
TEMPLATE = """apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: service-{number}
  title: Service {number}
  description: Answers requests of kind {number}
  labels:
    tier: gold
  annotations:
    example.com/cost-centre: "{group}"
  tags: [python, ml]
  links:
    - url: https://dash.example.com/{number}
      title: Dashboard
spec:
  type: service
  lifecycle: production
  owner: team-{group}
  system: system-{group}
  dependsOn: ["component:service-{other}", "resource:store-{group}"]
"""


def generate(folder: Path, *, entities: int) -> list[str]:
    """Write a git repository of Components; return the files' texts."""
    texts = []
    for first in range(0, entities, DOCUMENTS_A_FILE):
        numbers = range(first, min(first + DOCUMENTS_A_FILE, entities))
        text = "---\n".join(TEMPLATE.format(number=n, group=n % 50, other=(n * 7 + 1) % entities) for n in numbers)
        path = folder / f"part-{first // 1000}" / f"services-{first}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        texts.append(text)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=folder, check=True)
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "--message", "first"], cwd=folder, check=True)
    return texts


def main() -> None:
    """Print rates, their ratio, and the peak memory of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--database", help="another database than SQLite in a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "repository")
        folder.mkdir()
        texts = generate(folder, entities=arguments.entities)
        database = arguments.database or f"sqlite:///{temporary}/portal.db"
        command = [sys.executable, "-m", "portal", "--data", f"{temporary}/data", "ingest", "--database", database]
        target = f"{folder.as_uri()}#main:**/*.yaml"
        started = time.perf_counter()
        subprocess.run([*command, target], check=True, stdout=subprocess.DEVNULL, env=os.environ)
        whole = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        started = time.perf_counter()
        for text in texts:
            for _ in yaml.load_all(text, Loader=yaml.CSafeLoader):
                pass
        parse = time.perf_counter() - started
        started = time.perf_counter()
        subprocess.run([*command, target], check=True, stdout=subprocess.DEVNULL, env=os.environ)
        again = time.perf_counter() - started
    count = arguments.entities
    print(f"entities                      {count:>10,}")
    print(f"portal ingest, whole command  {whole:>10.2f} s  {count / whole:>10,.0f} entities/s  peak {peak:,.0f} MB")
    print(f"yaml.CSafeLoader alone        {parse:>10.2f} s  {count / parse:>10,.0f} documents/s")
    print(f"ratio                         {whole / parse:>10.2f}")
    print(f"portal ingest, nothing new    {again:>10.2f} s")


if __name__ == "__main__":
    main()
