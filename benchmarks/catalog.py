"""Writes a git repository with a catalog of any size, always the same for a size."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

DOCUMENTS_A_FILE = 50
_WORDS = ("payment", "search", "feature", "ranking", "fraud", "churn", "demand", "vision", "speech", "order", "invoice")
_TAGS = ("java", "python", "go", "ml", "etl", "spark", "streaming", "batch", "gpu", "pii", "gold", "silver", "kafka")
_IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")


def write_repository(folder: Path, *, entities: int) -> list[str]:
    """Write the repository; return the texts of its catalog files. `all.yaml` leads to all of them."""
    documents = _documents(entities)
    texts = [
        "---\n".join(documents[first : first + DOCUMENTS_A_FILE]) for first in range(0, entities, DOCUMENTS_A_FILE)
    ]
    folder.mkdir(parents=True)
    targets = []
    for number, text in enumerate(texts):
        targets.append(f"./part-{number:05d}.yaml")
        (folder / targets[-1]).write_text(text, encoding="utf-8")
    named = "".join(f"    - {target}\n" for target in targets)
    root = f"apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {{name: all}}\nspec:\n  targets:\n{named}"
    (folder / "all.yaml").write_text(root, encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    return texts


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", *_IDENTITY, *arguments], cwd=folder, check=True)


def _documents(count: int) -> list[str]:
    """Return documents: 2 % groups, 10 % users, 3 % systems, 10 % APIs, 15 % resources, the rest components."""
    chance = random.Random(7)
    groups, users, systems = max(2, count // 50), count // 10, max(2, count * 3 // 100)
    apis, resources = count // 10, count * 15 // 100
    found = []
    for number in range(groups):
        parent = f"  parent: {_name('team', (number - 1) // 5)}\n" if number else ""
        found.append(_document("Group", _name("team", number), f"  type: team\n  children: []\n{parent}", chance))
    for number in range(users):
        spec = f"  profile: {{displayName: User {number}}}\n  memberOf: [{_name('team', number % groups)}]\n"
        found.append(_document("User", _name("user", number), spec, chance))
    found += [_document("System", _name("system", number), _owned(chance, groups), chance) for number in range(systems)]
    for number in range(apis):
        spec = (
            f"  type: openapi\n  lifecycle: production\n  definition: 'api {number}'\n{_owned(chance, groups, systems)}"
        )
        found.append(_document("API", _name("api", number), spec, chance))
    for number in range(resources):
        kind = chance.choice(["dataset", "database", "feature-store", "bucket"])
        spec = f"  type: {kind}\n{_owned(chance, groups, systems)}"
        found.append(_document("Resource", _name("dataset", number), spec, chance))
    for number in range(count - len(found)):
        needs = [f"resource:default/{_name('dataset', chance.randrange(resources))}" for _ in range(2)]
        if number:
            needs.append(f"component:default/{_name('component', chance.randrange(number))}")
        spec = (
            f"  type: {chance.choice(['service', 'pipeline', 'library', 'notebook'])}\n"
            f"  lifecycle: {chance.choice(['production', 'experimental', 'deprecated'])}\n"
            f"  dependsOn: [{', '.join(needs)}]\n  consumesApis: [{_name('api', chance.randrange(apis))}]\n"
            f"{_owned(chance, groups, systems)}"
        )
        found.append(_document("Component", _name("component", number), spec, chance))
    return found


def _name(what: str, number: int) -> str:
    return f"{_WORDS[number % len(_WORDS)]}-{what}-{number}"


def _owned(chance: random.Random, groups: int, systems: int = 0) -> str:
    system = f"  system: {_name('system', chance.randrange(systems))}\n" if systems else ""
    return f"  owner: {_name('team', chance.randrange(groups))}\n{system}"


def _document(kind: str, name: str, spec: str, chance: random.Random) -> str:
    tags = ", ".join(sorted({chance.choice(_TAGS) for _ in range(3)}))
    return f"""apiVersion: backstage.io/v1alpha1
kind: {kind}
metadata:
  name: {name}
  title: {name.replace("-", " ").title()}
  description: The {name.replace("-", " ")} that the {chance.choice(_WORDS)} teams use for {chance.choice(_WORDS)} data
  labels: {{example.com/tier: {chance.choice(["gold", "silver", "bronze"])}}}
  annotations:
    github.com/project-slug: example/{name}
    example.com/cost-centre: cc-{chance.randrange(97)}
  tags: [{tags}]
  links:
    - {{url: 'https://dash.example.com/{name}', title: Dashboard, icon: dashboard}}
spec:
{spec}"""
