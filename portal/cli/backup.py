"""`portal backup`, `portal restore`: all that Portal holds in one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from portal.app import build
from portal.cli.operator import remembered
from portal.cli.output import console, database_option, print_json
from portal.config import Settings, make_data_folder
from portal.model.secret import Secret
from portal.services.backup import back_up
from portal.services.builds import Progress
from portal.services.restoring import restore as restore_from
from portal.store.database import Database

#: The variable that the passphrase is read from where nobody can be asked for it.
PASSPHRASE_VARIABLE = "PORTAL_BACKUP_PASSPHRASE"  # noqa: S105  # its name
_KEY = "instance.key"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@database_option
@click.option("--repositories", is_flag=True, help="Take the repositories along that templates made here.")
@click.option(
    "--with-key",
    is_flag=True,
    help=f"Take the instance key along, under a passphrase (asked, or {PASSPHRASE_VARIABLE}).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def backup(load: Any, *, file: Path, database: str | None, repositories: bool, with_key: bool, as_json: bool) -> None:
    """Write all that Portal holds into FILE, which must not exist; servers go on meanwhile.

    The file fits SQLite and PostgreSQL alike. What is encrypted in the database stays so: its key is left out unless
    --with-key.
    """
    settings: Settings = load(database=database)
    passphrase = _passphrase(is_new=True) if with_key else None
    with Database(settings.database) as opened, _shown() as progress:
        report = back_up(
            opened,
            file,
            repositories=settings.repositories if repositories else None,
            key=None if passphrase is None else (settings.data / _KEY, passphrase),
            progress=progress,
        )
    if as_json:
        print_json(report.as_json())
        return
    packed = f", {len(report.repositories)} repositories" if repositories else ""
    click.echo(
        f"{report.path}: {sum(report.rows.values())} rows in {len(report.rows)} tables{packed}, revision "
        f"{report.revision}, schema {report.schema}, {report.size_bytes / 1e6:.1f} MB, "
        f"{'with' if report.has_key else 'without'} the instance key"
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@database_option
@click.option("--force", is_flag=True, help="Drop all that the database holds; no server may have it open.")
@click.option(
    "--with-key", is_flag=True, help=f"Restore the instance key too (passphrase asked, or {PASSPHRASE_VARIABLE})."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def restore(load: Any, *, file: Path, database: str | None, force: bool, with_key: bool, as_json: bool) -> None:
    """Bring an empty database to what FILE holds, all at once or not at all.

    Repositories in it are made in the data folder where none of that name is.
    """
    settings: Settings = load(database=database)
    passphrase = _passphrase(is_new=False) if with_key else None
    make_data_folder(settings.data)
    with Database(settings.database) as opened, _shown() as progress:
        report = restore_from(
            opened,
            file,
            repositories=settings.repositories,
            key=None if passphrase is None else (settings.data / _KEY, passphrase),
            is_forced=force,
            progress=progress,
        )
    with build(settings) as portal, remembered(portal, "portal restore", str(file)):
        # Nothing is left to do: the record goes where what was restored is.
        pass
    if as_json:
        print_json(report.as_json())
        return
    before, after = report.schema
    click.echo(
        f"restored {sum(report.rows.values())} rows in {len(report.rows)} tables, revision {report.revision}, "
        f"made {report.made_at}" + (f"; schema {before} -> {after}" if before != after else "")
    )
    for name in report.repositories:
        click.echo(f"repository {name}: restored")
    for name in report.kept:
        click.echo(f"repository {name}: left as it is")
    if report.ended:
        click.echo(f"{len(report.ended)} tasks were under way and are ended: start them anew")


def _passphrase(*, is_new: bool) -> Secret:
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return Secret(given)
    asked: str = click.prompt("Passphrase of the instance key", hide_input=True, confirmation_prompt=is_new, err=True)
    return Secret(asked)


@contextmanager
def _shown() -> Iterator[Progress]:
    """Yield what shows how far the work is, a bar for each of its stages."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    out = console(stderr=True)
    with Bar(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        stages: dict[str, TaskID] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bar.add_task(stage, total=total)
            bar.update(stages[stage], completed=done)

        yield progress
