"""The `portal` command itself, with what all its commands share: settings, errors."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from portal.config import load_settings
from portal.errors import PortalError
from portal.services.memory import cycles_kept

#: Where each command is: it is imported when it is run, or when all are listed.
COMMANDS = {
    "audit": "portal.cli.audit:audit",
    "backup": "portal.cli.backup:backup",
    "changes": "portal.cli.history:changes",
    "db": "portal.cli.database:db",
    "doctor": "portal.cli.doctor:doctor",
    "history": "portal.cli.history:history",
    "ingest": "portal.cli.catalog:ingest",
    "owners": "portal.cli.owners:owners",
    "policy": "portal.cli.policy:policy",
    "restore": "portal.cli.backup:restore",
    "schema": "portal.cli.catalog:schema",
    "serve": "portal.cli.serve:serve",
    "settings": "portal.cli.settings:settings",
    "template": "portal.cli.template:template",
    "token": "portal.cli.token:token",
    "validate": "portal.cli.validate:validate",
    "worker": "portal.cli.worker:worker",
}


class PortalGroup(click.Group):
    """A group whose commands end with a message and exit code 2 on a fault of Portal or its surroundings."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, or None."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        # Nothing that is imported is ever let go of: looking for cycles in it takes a fifth of the time.
        with cycles_kept():
            command: click.Command = getattr(import_module(module), name)
        return command

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
