"""`portal validate`: checks catalog files before they are merged."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from portal.app import build
from portal.cli.output import console, finding_line, print_problems, shown_location
from portal.cli.reports import FORMATS, Report
from portal.errors import InputError
from portal.ingest.yaml import YamlLimits
from portal.services.catalog import CatalogService
from portal.services.known import CatalogKnowledge
from portal.services.validation import Knowledge, Validation, ValidationService
from portal.vcs.worktree import find_worktree

_YAML_FILES = "**/*.{yaml,yml}"
#: Not an option: what stands on a command line is seen by others and kept in histories.
_TOKEN_VARIABLE = "PORTAL_TOKEN"  # noqa: S105  # its name


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]...")
@click.option("--since", metavar="REVISION", help="Tell of what changed since the branch left REVISION alone.")
@click.option("--server", metavar="URL", help=f"A running Portal that knows the whole catalog ({_TOKEN_VARIABLE}).")
@click.option("--database", metavar="URL", help="A database that holds the whole catalog.")
@click.option("--format", "form", type=click.Choice(["human", *FORMATS]), default="human", help="How to tell of it.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file to write instead of printing.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
@click.pass_obj
def validate(
    load: Any,
    *,
    paths: Sequence[Path],
    since: str | None,
    server: str | None,
    database: str | None,
    form: str,
    as_json: bool,
    output: Path | None,
    strict: bool,
) -> None:
    """Check catalog files or folders; exit with 1 when anything would be refused.

    A folder (by default this one) is read from its catalog-info.yaml, or all its YAML files where it has none. What the
    layers enforce is checked too. With --server or --database the files are checked against the whole catalog: whether
    what they name exists, who else claims their entities, what the layers say of owners and dependencies elsewhere.
    """
    if server and database:
        raise click.UsageError("Name the --server or the --database that knows the whole catalog, not both")
    places = paths or (Path(),)
    home = find_worktree(places[0] if places[0].is_dir() else places[0].parent)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        portal = stack.enter_context(build(load(data=folder, database="")))
        portal.migrate()
        knowledge = stack.enter_context(_knowledge(load, server, database))
        service = ValidationService(
            portal.database,
            portal.sources,
            portal.refresh,
            portal.ownership,
            portal.kinds,
            folder=Path(folder),
            limits=YamlLimits(size_bytes=portal.settings.file_size_bytes, depth=portal.settings.yaml_depth),
        )
        found = service.validate([_target(path) for path in places], knowledge=knowledge, home=home, since=since)
    report = Report.of(found, root=home.root if home is not None else Path.cwd())
    form = "json" if as_json else form
    if form == "human":
        _print(found, report)
    else:
        text = FORMATS[form](report)
        if output is not None:
            output.write_text(text, encoding="utf-8")
        else:
            click.echo(text, nl=False)
    sys.exit(1 if report.errors or (strict and report.faults) else 0)


@contextmanager
def _knowledge(load: Any, server: str | None, database: str | None) -> Iterator[Knowledge | None]:
    """Open what knows the whole catalog, None where nothing is named."""
    if server:
        from portal.providers.knowledge import ServedCatalog  # noqa: PLC0415  # its client takes long to import

        served = ServedCatalog(server, token=os.environ.get(_TOKEN_VARIABLE))
        try:
            yield served
        finally:
            served.close()
    elif database:
        with build(load(database=database)) as whole:
            whole.migrate()
            yield CatalogKnowledge(CatalogService(whole.database))
    else:
        yield None


def _target(path: Path) -> tuple[str, str]:
    absolute = path.resolve()
    if absolute.is_dir() and not (absolute / "catalog-info.yaml").is_file():
        return "file", f"{absolute}#:{_YAML_FILES}"
    if absolute.is_file() and absolute.suffix not in {".yaml", ".yml", ".json"}:
        raise InputError(f'"{path}" is not a catalog file; expected .yaml, .yml or .json')
    return "file", str(absolute)


def _print(found: Validation, report: Report) -> None:
    print_problems(found.problems)
    for finding, location, span in found.findings:
        place = f"{shown_location(location)}:{span.line}"
        line = finding_line(finding).removeprefix(f"{finding.severity}: ")
        click.echo(f"{finding.severity}: {place} {line} [{finding.rule}]")
    if not found.knows_all:
        note = "What these files name elsewhere was not checked; --server or --database names what knows it."
        console(stderr=True).print(note, style="dim", highlight=False)
    click.echo(f"{found.entities} entities, {report.errors} {'error' if report.errors == 1 else 'errors'}")
