"""`portal owners reorg`: shows what a plan would change, writes it to branches of the repositories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from portal.app import build
from portal.cli.operator import remembered
from portal.cli.output import console, database_option, plain, print_json, shown_location
from portal.errors import InputError
from portal.model.layer import Finding
from portal.model.reorg_plan import plan_schema
from portal.services.reorg import Author, Preview, Written

_AUTHOR = re.compile(r"\s*([^<>\x00-\x1f]*[^<>\s\x00-\x1f])\s*<([^<>\s\x00-\x1f]+)>\s*")
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("plan", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what would change, with diffs; write nothing (default).")
@click.option("--write", "is_written", is_flag=True, help="Push the change: a branch and a commit for each repository.")
@click.option("--author", metavar="'NAME <EMAIL>'", help="Who the commits are by; Portal without.")
@click.option("--schema", "is_schema", is_flag=True, help="Print the JSON Schema of a plan instead.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_obj
def reorg(
    load: Any,
    *,
    plan: Path | None,
    is_dry: bool,
    is_written: bool,
    author: str | None,
    is_schema: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Show what a reorganisation would change, or write it.

    PLAN is a YAML file that says which groups begin and end, who takes which assets, which people move.
    """
    if is_dry and is_written:
        raise click.UsageError("--dry-run writes nothing; leave it out, or --write")
    if is_schema == (plan is not None):
        raise click.UsageError("Name one plan, or ask for its --schema")
    if plan is None:
        print_json(plan_schema())
        return
    who = _author(author)
    try:
        content = plan.read_bytes()
    except OSError as error:
        raise InputError(f"{plan}: cannot be read: {error.strerror}") from error
    with build(load(database=database)) as portal:
        portal.migrate()
        preview = portal.answers.reorganisation.preview(content, location=str(plan))
        if not as_json:
            _print_preview(preview)
        written: Sequence[Written] = []
        if is_written:
            with remembered(portal, "portal owners reorg", preview.plan.name):
                written = portal.answers.reorganisation.write(preview, author=who)
    if as_json:
        commits = {"written": [item.to_json() for item in written]} if is_written else {}
        print_json(preview.to_json() | commits)
    else:
        _print_written(preview, written, is_written=is_written)


def _author(text: str | None) -> Author | None:
    if text is None:
        return None
    found = _AUTHOR.fullmatch(text)
    if found is None:
        raise InputError(f'Author "{plain(text)}" is not of the form Name <address>')
    return Author(found[1], found[2])


def _print_preview(preview: Preview) -> None:
    out = console()
    plan = preview.plan
    out.print(Text.assemble((plan.name, "bold"), f": {plain(plan.reason)}"), soft_wrap=True)
    for new in plan.created:
        out.print(Text(f"begins: {new.ref}"), soft_wrap=True)
    for closed in plan.closed:
        out.print(Text(f"ends: {closed.ref}"), soft_wrap=True)
    for (source, to), count in preview.moved.items():
        out.print(Text(f"{'1 asset' if count == 1 else f'{count} assets'}: {source} > {to}"), soft_wrap=True)
    moves = [(move.ref, move.to) for move in (*plan.users, *plan.moved)]
    for who, to in (*moves, *((who, heir) for who, _, heir in preview.changes.inherited)):
        out.print(Text(f"moves: {who} > {to}"), soft_wrap=True)
    _print_findings("rules broken", preview.effects.broken)
    _print_findings("rules mended", preview.effects.mended)
    out.print(Text(f"teams unbalanced: {len(preview.effects.unbalanced) or 'none'}", style="bold"))
    for item in preview.effects.unbalanced:
        out.print(Text(f"{item.message} ({'new' if item.is_new else 'as before'})"), soft_wrap=True)
    out.print(Text(f"files: {len(preview.files)}", style="bold"))
    repository = ""
    for file in preview.files:
        if file.refusal:
            out.print(
                Text(f"{shown_location(plain(file.location))}: {plain(file.refusal)}", style="red"), soft_wrap=True
            )
        elif file.repository != repository:
            repository = file.repository
            out.print(Text(plain(repository), style="bold"), soft_wrap=True)
        _print_diff(file.diff)


def _print_findings(title: str, findings: Sequence[Finding]) -> None:
    out = console()
    out.print(Text(f"{title}: {len(findings) or 'none'}", style="bold"))
    for finding in findings:
        text = f"{finding.severity}: {finding.ref}: {finding.message} {finding.fix}"
        out.print(Text(plain(text)), soft_wrap=True)


def _print_diff(diff: str) -> None:
    out = console()
    for line in diff.split("\n")[:-1]:
        # A line that ends with \r\n does so before and after: the end alone would only confuse.
        out.print(Text(plain(line.removesuffix("\r")), style=_COLOURS.get(line[:1], "")), soft_wrap=True)


def _print_written(preview: Preview, written: Sequence[Written], *, is_written: bool) -> None:
    out = console()
    for item in written:
        out.print(Text(f"pushed {item.commit[:12]} to {item.branch} of {plain(item.repository)}"), soft_wrap=True)
    if not is_written:
        out.print(Text(f"nothing was written; --write pushes the branch {preview.plan.branch}"), soft_wrap=True)
