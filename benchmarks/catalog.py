"""Writes a git repository with a catalog of any size, always the same for a size."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

DOCUMENTS_A_FILE = 50
_WORDS = [
    "payment",
    "search",
    "feature",
    "ranking",
    "fraud",
    "churn",
    "demand",
    "vision",
    "speech",
    "catalog",
    "order",
    "user",
    "session",
    "invoice",
    "risk",
]
_TAGS = [
    "java",
    "python",
    "go",
    "ml",
    "etl",
    "spark",
    "streaming",
    "batch",
    "gpu",
    "pii",
    "gold",
    "silver",
    "bronze",
    "kafka",
]
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
    """Return documents: 2 % groups, 10 % users, 3 % domains and systems, 10 % APIs, 15 % resources, components."""
    chance = random.Random(7)
    groups, users = max(2, count * 2 // 100), count * 10 // 100
    domains, systems = max(1, count // 200), max(2, count * 25 // 1000)
    apis, resources = count * 10 // 100, count * 15 // 100
    found = []

    def add(kind: str, what: str, number: int, **spec: object) -> None:
        found.append(_document(kind, _name(what, number), _spec(spec), number, chance))

    def team(number: int | None = None) -> str:
        return _name("team", chance.randrange(groups) if number is None else number)

    for number in range(groups):
        parent = {"parent": team((number - 1) // 5)} if number else {}
        add("Group", "team", number, type="team", children=[], **parent)
    for number in range(users):
        profile = f"{{displayName: User {number}, email: user{number}@example.com}}"
        add("User", "user", number, profile=profile, memberOf=[team(number % groups)])
    for number in range(domains):
        add("Domain", "domain", number, owner=team(number % groups))
    for number in range(systems):
        add("System", "system", number, owner=team(number % groups), domain=_name("domain", number % domains))
    for number in range(apis):
        spec = {"type": "openapi", "lifecycle": "production", "owner": team()}
        spec |= {"system": _name("system", chance.randrange(systems))}
        add("API", "api", number, **spec, definition=f"'openapi 3 definition of api {number}'")
    for number in range(resources):
        spec = {"type": chance.choice(["dataset", "database", "feature-store", "s3-bucket"]), "owner": team()}
        add("Resource", "dataset", number, **spec, system=_name("system", chance.randrange(systems)))
    for number in range(count - len(found)):
        spec = {"type": chance.choice(["service", "pipeline", "library", "notebook", "website"])}
        spec |= {"lifecycle": chance.choice(["production", "experimental", "deprecated"])}
        spec |= {"owner": f"group:default/{team()}", "system": _name("system", chance.randrange(systems))}
        add("Component", "component", number, **spec, **_needs(number, resources, apis, chance))
    return found


def _needs(number: int, resources: int, apis: int, chance: random.Random) -> dict[str, list[str]]:
    """Return what a component depends on, provides, consumes."""
    needs = [f"resource:default/{_name('dataset', chance.randrange(resources))}" for _ in range(2)]
    if number:
        needs.append(f"component:default/{_name('component', chance.randrange(number))}")
    provides = [_name("api", number % apis)] if number % 5 == 0 else []
    return {"dependsOn": needs, "providesApis": provides, "consumesApis": [_name("api", chance.randrange(apis))]}


def _name(what: str, number: int) -> str:
    return f"{_WORDS[number % len(_WORDS)]}-{what}-{number}"


def _spec(fields: dict[str, object]) -> str:
    return "".join(
        f"  {name}: [{', '.join(value)}]\n" if isinstance(value, list) else f"  {name}: {value}\n"
        for name, value in fields.items()
    )


def _document(kind: str, name: str, spec: str, number: int, chance: random.Random) -> str:
    tags = ", ".join(sorted({chance.choice(_TAGS) for _ in range(3)}))
    told = name.replace("-", " ")
    does = ["serve", "train", "store", "move", "check"]
    return f"""apiVersion: backstage.io/v1alpha1
kind: {kind}
metadata:
  name: {name}
  title: {told.title()}
  description: The {told} that the {chance.choice(_WORDS)} teams use to {chance.choice(does)} {chance.choice(_WORDS)} \
data in region {number % 17}
  labels: {{example.com/tier: {chance.choice(["gold", "silver", "bronze"])}, example.com/region: r{number % 17}}}
  annotations:
    github.com/project-slug: example/{name}
    backstage.io/techdocs-ref: dir:.
    example.com/cost-center: cc-{number % 97}
  tags: [{tags}]
  links:
    - {{url: 'https://dash.example.com/{name}', title: Dashboard, icon: dashboard}}
spec:
{spec}"""
