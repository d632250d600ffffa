"""Times answers about owners on 100,000 entities with hubs and long chains, beside rustworkx's own `descendants`."""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import rustworkx

from catalog import DOCUMENTS_A_FILE, git
from portal.app import build
from portal.config import load_settings
from portal.graph.reach import DependencyGraph
from portal.model.ref import EntityRef
from portal.store import dependencies

_HUBS, _DEPENDENTS = 5, 20_000
_CHAINS, _LENGTH = 5, 1_000
_BLOCK = 200
_LAYERS = ("low", "middle", "high")


def documents(count: int) -> list[str]:
    """Return documents: layers, groups, people, systems, then components with hubs and chains among them."""
    chance = random.Random(7)
    groups, users, systems = max(2, count // 100), count // 25, max(3, count // 200)
    found = [
        _document("Layer", name, f"rank: {rank}, owner: team-0, ownerRoles: [maker]", "portal/v1alpha1")
        for rank, name in enumerate(_LAYERS, 1)
    ]
    found.append(_document("Role", "maker", "layers: [low]", "portal/v1alpha1"))
    for number in range(groups):
        parent = f", parent: team-{(number - 1) // 5}" if number else ""
        found.append(_document("Group", f"team-{number}", f"type: team, children: []{parent}"))
    found += [_document("User", f"user-{number}", f"memberOf: [team-{number % groups}]") for number in range(users)]
    for number in range(systems):
        spec = f"owner: team-{number % groups}, layer: {_LAYERS[number % 3]}"
        found.append(_document("System", f"system-{number}", spec))
    components = count - len(found)
    chained = min(_CHAINS * _LENGTH, components // 2)
    others = range(_HUBS + chained, components)
    needs: dict[int, list[int]] = {}
    for number in range(chained):
        if number % _LENGTH:
            needs[_HUBS + number] = [_HUBS + number - 1]
    for hub in range(_HUBS):
        for number in chance.sample(others, min(_DEPENDENTS, len(others))):
            needs.setdefault(number, []).append(hub)
    for number in others:
        first = number - (number - others.start) % _BLOCK
        near = {chance.randrange(first, number) for _ in range(3)} if number > first else set()
        needs.setdefault(number, []).extend(sorted(near))
    for number in range(components):
        targets = ", ".join(f"'component:c-{target}'" for target in needs.get(number, ()))
        spec = f"type: service, lifecycle: production, owner: team-{chance.randrange(groups)}"
        spec += f", system: system-{chance.randrange(systems)}, dependsOn: [{targets}]"
        found.append(_document("Component", f"c-{number}", spec))
    return found


def _document(kind: str, name: str, spec: str, version: str = "backstage.io/v1alpha1") -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"


def write_repository(folder: Path, *, entities: int) -> None:
    """Write a git repository of these documents; `all.yaml` leads to all of them."""
    made = documents(entities)
    folder.mkdir(parents=True)
    names = []
    for first in range(0, len(made), DOCUMENTS_A_FILE):
        names.append(f"part-{first:06d}.yaml")
        text = "---\n".join(made[first : first + DOCUMENTS_A_FILE])
        (folder / names[-1]).write_text(text, encoding="utf-8")
    targets = ", ".join(f"./{name}" for name in names)
    (folder / "all.yaml").write_text(_document("Location", "all", f"targets: [{targets}]"), encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")


def main() -> None:
    """Print milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--database", help="another database than SQLite in a temporary folder; it must be empty")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary, "repository")
        write_repository(repository, entities=arguments.entities)
        database = arguments.database or f"sqlite:///{temporary}/portal.db"
        target = f"{repository.as_uri()}#main:all.yaml"
        command = [sys.executable, "-m", "portal", "--data", f"{temporary}/data", "ingest", "--database", database]
        subprocess.run([*command, target], check=True, stdout=subprocess.DEVNULL)
        settings = load_settings(environment={}, overrides={"data": f"{temporary}/data", "database": database})
        with build(settings) as portal:
            _measure_first(portal)
            _measure(portal)
            last = max(repository.glob("part-*.yaml"))
            last.write_text(last.read_text(encoding="utf-8").replace("production", "experimental", 1), encoding="utf-8")
            git(repository, "commit", "--quiet", "--all", "--message", "second")
            subprocess.run([*command, target], check=True, stdout=subprocess.DEVNULL)
            with portal.database.reading() as connection:
                followed = _milliseconds(lambda: portal.answers.impact._dependencies.seen_by(connection), times=1)  # noqa: SLF001
                anew = _milliseconds(lambda: DependencyGraph.of(dependencies.all_steps(connection)), times=3)
            print(f"following one changed entity {followed:,.0f} ms, reading everything {anew:,.0f} ms")


def _measure_first(portal: Any) -> None:
    """Print what is remembered after it was asked for once: the median of several groups, each asked once."""
    portal.survey.take()
    groups = {"above all": range(1), "with a 25th of all": range(6, 31), "with none below": range(880, 940)}
    answers = {"portfolio": portal.accountability.portfolio, "balance": portal.answers.balance.balance}
    for answer in answers.values():
        answer(EntityRef("group:default/team-1"))  # the first puts statements together, which others need not
    gc.collect()
    gc.freeze()
    for what, answer in answers.items():
        for name, numbers in groups.items():
            teams = [EntityRef(f"group:default/team-{number}") for number in numbers]
            took = statistics.median(_milliseconds(partial(answer, team), times=1) for team in teams)
            print(f"{what} of a group {name}, asked first {took:>8,.1f} ms")


def _measure(portal: Any) -> None:
    with portal.database.reading() as connection:
        started = time.perf_counter()
        held = portal.answers.impact._dependencies.seen_by(connection)  # noqa: SLF001
        gc.freeze()  # as `portal serve` does: the collector of cycles does not look through the graph
        print(f"first reading {time.perf_counter() - started:.2f} s, {len(held.steps()):,} steps of need")
        graph = held._graph  # noqa: SLF001
        chance = random.Random(1)
        roots = {f"hub {number}": f"component:default/c-{number}" for number in range(_HUBS)}
        roots |= {"chain, begin": f"component:default/c-{_HUBS}", "chain, middle": f"component:default/c-{_HUBS + 500}"}
        roots |= {
            f"any {number}": f"component:default/c-{chance.randrange(graph.num_nodes() // 2)}" for number in range(3)
        }
        for name, text in roots.items():
            ref = EntityRef(text)
            number = dependencies.numbers_of(connection, [ref])[ref]
            reached = rustworkx.descendants(graph, number)
            walked = _milliseconds(lambda number=number: rustworkx.descendants(graph, number))
            fetched = _milliseconds(lambda reached=reached, ref=ref: _rows(portal, connection, ref, reached))
            took = _milliseconds(lambda ref=ref: portal.answers.impact.of_entity(ref))
            print(
                f"impact of {name:14} {len(reached):>7,} reached {took:>8,.1f} ms  descendants {walked:,.1f} ms"
                f"  rows {fetched:,.1f} ms  {took / (walked + fetched):.2f} times both"
            )
    middle, team = EntityRef(f"component:default/c-{_HUBS + 500}"), EntityRef("group:default/team-0")
    leaf = EntityRef("group:default/team-900")
    for name, ask in {
        "entity": lambda: portal.accountability.of_entity(middle),
        "portfolio of all": lambda: portal.accountability.portfolio(team),
        "portfolio of a team": lambda: portal.accountability.portfolio(leaf),
        "balance of a team": lambda: portal.answers.balance.balance(leaf),
        "layers": portal.answers.layers.layers,
        "lineage": lambda: portal.ownership.lineage(middle),
        "impact, removed": lambda: portal.answers.impact.of_entity(EntityRef("component:default/c-0"), removed=True),
    }.items():
        print(f"{name:20} {_milliseconds(ask):>8,.1f} ms")


def _rows(portal: Any, connection: Any, ref: EntityRef, reached: Collection[int]) -> None:
    """Fetch what an answer tells: reference and owner of all that is reached, 500 of them whole."""
    portal.ownership.nodes_seen_by(connection, [ref])
    refs = [EntityRef(found.ref) for found in dependencies.named(connection, list(reached)).values()]
    portal.ownership.nodes_seen_by(connection, refs[:500])


def _milliseconds(ask: Callable[[], object], *, times: int = 5) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        ask()
        found.append((time.perf_counter() - started) * 1_000)
    return statistics.median(found)


if __name__ == "__main__":
    main()
