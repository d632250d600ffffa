"""`portal template preview`: shows a template while it is being written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from portal.errors import InputError

_NAMES = ("template.yaml", "template.yml")


@click.command("preview")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=7008, help="Port to serve on; 0 takes one that is free.")
@click.pass_obj
def preview(load: Any, *, folder: Path, port: int) -> None:
    """Serve the form of the template in FOLDER with what it makes, anew with each change of its files.

    FOLDER may be the template's file. Nothing is published, registered or stored; this machine alone is answered.
    """
    from portal.app.preview import preview_server  # noqa: PLC0415  # the other commands need no server

    with preview_server(_file(folder), load(), port=port) as server:
        click.echo(f"Preview on {click.style(f'http://127.0.0.1:{server.port}', bold=True)} (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _file(folder: Path) -> Path:
    if folder.is_file():
        return folder
    for name in _NAMES:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: found no {_NAMES[0]}")
