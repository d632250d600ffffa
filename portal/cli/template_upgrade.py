"""`portal template generated`, `portal template upgrade`: what templates have generated, brought up to date."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from portal.app import Portal, build
from portal.app.targets import target_of
from portal.cli.operator import named, remembered
from portal.cli.output import console, database_option, plain, print_json
from portal.errors import InputError
from portal.ingest.yaml import parse
from portal.model.location import parse_target
from portal.model.ref import EntityRef
from portal.services.generated import GeneratedList
from portal.services.upgrades import Asking, Upgrade, UpgradeOptions

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_STYLES = {"failed": "red", "pushed": "green", "current": "dim"}
_SHORT = 12


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@database_option
@click.pass_obj
def generated(load: Any, *, name: str | None, as_json: bool, database: str | None) -> None:
    """List what the template NAME, or any, has generated, with how many of its changes are not in it yet."""
    ref = None if name is None else EntityRef.parse(name, default_kind="template")
    with build(load(database=database)) as portal:
        portal.migrate()
        found = portal.tasks.generated.listing(ref)
    if as_json:
        print_json(found.to_json())
    else:
        _print_generated(console(), found)


@click.command()
@click.argument("repository", required=False)
@click.option("--all", "template", metavar="TEMPLATE", help="All repositories that this template has generated.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A parameter's value, as YAML; repeatable.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what would change; push nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@database_option
@click.pass_obj
def upgrade(
    load: Any,
    *,
    repository: str | None,
    template: str | None,
    values: Sequence[str],
    is_dry: bool,
    as_json: bool,
    database: str | None,
) -> None:
    """Merge what its template has changed into REPOSITORY, a git url or a folder, on a new branch.

    Conflicts stand in the files, marked; exit with 1 where there are any, or an upgrade failed. A folder is upgraded as
    it is committed, and gets the branch; what is checked out stays.
    """
    if (repository is None) == (template is None):
        raise click.UsageError("Name one repository, or --all with a template")
    options = UpgradeOptions(dict(_value(text) for text in values), is_dry=is_dry)
    with build(load(database=database)) as portal:
        portal.migrate()
        if is_dry:
            found = _upgraded(portal, repository, template, options)
        else:
            target = named([repository]) if repository is not None else f"all of {template}"
            with remembered(portal, "portal template upgrade", target) as done:
                found = _upgraded(portal, repository, template, options)
                done.has_failed = any(item.status == "failed" for item in found)
    if as_json:
        print_json([item.to_json() for item in found])
    else:
        _print_upgrades(console(), found)
    if any(item.status == "failed" or item.conflicts for item in found):
        sys.exit(1)


def _upgraded(portal: Portal, repository: str | None, template: str | None, options: UpgradeOptions) -> list[Upgrade]:
    upgrades = portal.tasks.upgrades
    if repository is not None:
        return [upgrades.upgrade(_target(portal, repository), options, asking=Asking())]
    ref = EntityRef.parse(str(template), default_kind="template")
    return upgrades.upgrade_all(ref, options, asking=Asking())


def _target(portal: Portal, repository: str) -> Any:
    head, _, _ = repository.partition("#")
    _, target = target_of(repository)
    if "://" not in head and Path(head).expanduser().exists():
        # A folder, be it one that is worked in: git reads its commits, and leaves its files alone.
        target = f"{Path(head).expanduser().resolve().as_uri()}{repository[len(head) :]}"
    return parse_target("url", target, trusted=True, integrations=portal.integrations, allows_login=True)


def _value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    documents = parse(value.encode())
    if not name or not equals or len(documents) > 1 or any(document.problem for document in documents):
        raise InputError(f"--set {plain(text)}: expected NAME=VALUE, the value as YAML has it")
    return name, documents[0].value if documents else ""


def _print_generated(out: Console, found: GeneratedList) -> None:
    for state in found.templates:
        told = state.note or f"changed last at {state.changed[:_SHORT] or 'no commit'}"
        out.print(Text(plain(f"{state.ref}: {told}"), style="bold"), soft_wrap=True)
        for item in found.items:
            if item.template != state.ref:
                continue
            behind = "not known how far behind" if item.behind is None else f"{item.behind} behind"
            place = item.repository or ", ".join(item.entities)
            line = f"  {place} {item.commit[:_SHORT] or '-'} {behind}{f': {item.note}' if item.note else ''}"
            out.print(Text(plain(line)), soft_wrap=True)
    if not found.items:
        out.print(Text("nothing is known to be generated"))


def _print_upgrades(out: Console, found: Sequence[Upgrade]) -> None:
    for item in found:
        out.print(Text(plain(f"{item.repository}: {_told(item)}"), style=_STYLES.get(item.status, "")), soft_wrap=True)
        for sentence in item.conflicts:
            out.print(Text(plain(f"  {sentence}"), style="red"), soft_wrap=True)
        if item.status == "previewed":
            for line in item.diff.split("\n")[:-1]:
                out.print(Text(plain(line.removesuffix("\r")), style=_COLOURS.get(line[:1], "")), soft_wrap=True)


def _told(item: Upgrade) -> str:
    count = f"{len(item.paths)} file{'' if len(item.paths) == 1 else 's'}"
    match item.status:
        case "current":
            return f"up to date with {item.template}"
        case "failed":
            return item.reason
        case "pushed":
            return f"pushed {item.commit[:_SHORT]} to {item.branch}, {count}"
    return f"{count} would change on {item.branch}; nothing was pushed"
