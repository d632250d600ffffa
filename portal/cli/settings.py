"""`portal settings`: prints the settings in force."""

from __future__ import annotations

from typing import Any

import click

from portal.cli.output import console, print_json
from portal.config import SETTINGS


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def settings(load: Any, *, as_json: bool) -> None:
    """Print the settings in force, secrets masked."""
    shown = load().shown()
    if as_json:
        print_json(shown)
        return
    for setting in SETTINGS:
        value = shown[setting.name]
        text = ", ".join(value) if isinstance(value, list) else str(value)
        console().print(f"[bold]{setting.name}[/bold] = {text or '(empty)'}", highlight=False, soft_wrap=True)
        console().print(f"    {setting.help} [dim]{setting.variable}[/dim]", highlight=False, soft_wrap=True)
