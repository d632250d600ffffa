"""`portal ingest`, `portal schema`: what goes into the catalog, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from portal.app import Portal, build, target_of
from portal.cli.operator import named, remembered
from portal.cli.output import console, database_option, print_json
from portal.cli.summary import print_summary, summary_json
from portal.defaults.kinds import all_kinds
from portal.errors import NotFoundError
from portal.model.editor_schema import editor_schema
from portal.model.kind import Kind, Kinds
from portal.services.refresh import RefreshReport


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def ingest(load: Any, *, targets: Sequence[str], database: str | None, as_json: bool) -> None:
    """Read catalog files into the database.

    TARGET is a git url, a git url with #BRANCH:PATTERN, or a folder.
    """
    with build(load(database=database)) as portal:
        portal.migrate()
        with remembered(portal, "portal ingest", named(targets)):
            report = ingest_with_progress(portal, [target_of(text) for text in targets])
        if as_json:
            print_json(summary_json(portal, report))
        else:
            print_summary(portal, report)
        # The summary has worked out the findings.
        portal.survey.take()


def ingest_with_progress(portal: Portal, targets: Sequence[tuple[str, str]]) -> RefreshReport:
    """Ingest locations while showing how far it is."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # No thread of its own draws it: a process with one thread may share its work with forks.
    with Progress(*columns, console=console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("looking at the sources", total=None)

        def show(stage: str, done: int, total: int) -> None:
            progress.update(task, description=stage, completed=done, total=total or None)
            progress.refresh()

        return portal.ingest(targets, progress=show)


@click.command()
@click.argument("kind", required=False)
@click.option("--all", "is_all", is_flag=True, help="All kinds, and one schema of them together for editors.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to, with --all.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON (it is JSON in any case).")
@click.pass_obj
def schema(
    load: Any,
    *,
    kind: str | None,
    is_all: bool,
    output: Path | None,
    database: str | None,
    as_json: bool,  # noqa: ARG001  # as on every command
) -> None:
    """Print the JSON Schema of a kind, of one that the catalog declares too.

    With --all, print one schema for all kinds, or write it (catalog.json) with one file a kind into a folder. Kinds
    that the catalog declares are among them where --database names it.
    """
    if is_all == (kind is not None) or (output is not None and not is_all):
        raise click.UsageError("Name one kind, or ask for --all; --output goes with --all")
    if kind is not None:
        found = all_kinds().named(kind)
        print_json((found or _declared_kind(load, kind, database)).json_schema())
        return
    known = list(all_kinds() if database is None else _current_kinds(load, database))
    if output is None:
        print_json(editor_schema(known))
        return
    output.mkdir(parents=True, exist_ok=True)
    schemas = {"catalog": editor_schema(known)} | {item.name: item.json_schema() for item in known}
    for name, content in schemas.items():
        path = output / f"{name.lower()}.json"
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        click.echo(str(path))


def _declared_kind(load: Any, name: str, database: str | None) -> Kind:
    known = _current_kinds(load, database)
    found = known.named(name)
    if found is None:
        raise NotFoundError(f'There is no kind "{name}"; known are {", ".join(item.name for item in known)}')
    return found


def _current_kinds(load: Any, database: str | None) -> Kinds:
    with build(load(database=database)) as portal:
        portal.migrate()
        return portal.kinds.current()
