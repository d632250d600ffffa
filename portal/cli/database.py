"""`portal db`: the database's schema."""

from __future__ import annotations

from typing import Any

import click

from portal.app import build
from portal.cli.operator import remembered
from portal.cli.output import database_option, print_json


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def upgrade(load: Any, *, database: str | None, as_json: bool) -> None:
    """Bring the database to the shape that this version needs."""
    with build(load(database=database)) as portal:
        before, after = portal.migrate()
        if before != after:
            # Not the other way about: before there may be no table to remember it in.
            with remembered(portal, "portal db upgrade", f"{before or 'empty'} -> {after}"):
                pass
    if as_json:
        print_json({"before": before, "after": after})
    else:
        click.echo(f"database: {before or 'empty'} -> {after}" if before != after else f"database: {after}, up to date")
