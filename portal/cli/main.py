"""The `portal` command itself, with what all its commands share: settings, errors."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from portal.cli.catalog import ingest, schema, validate
from portal.cli.database import db
from portal.cli.serve import serve
from portal.cli.settings import settings
from portal.cli.template import template
from portal.config import load_settings
from portal.errors import PortalError


class PortalGroup(click.Group):
    """A group whose commands end with a message and exit code 2 on a fault of Portal or its surroundings."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a typed fault becomes its message."""
        try:
            return super().invoke(ctx)
        except PortalError as error:
            click.echo(f"portal: {error.message}", err=True)
            sys.exit(2)


@click.group(cls=PortalGroup)
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file (TOML).")
@click.option("--data", help="Folder for mirrors, repositories and the embedded database.")
@click.version_option(package_name="portal")
@click.pass_context
def main(ctx: click.Context, config: Path | None, data: str | None) -> None:
    """Portal: who owns what in a machine-learning organisation."""

    def load(**overrides: Any) -> Any:
        return load_settings(environment=os.environ, file=config, overrides={"data": data, **overrides})

    ctx.obj = load


for _command in (serve, ingest, validate, schema, template, db, settings):
    main.add_command(_command)
