"""Wires the doctor, as far as the settings let it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from portal.app.portal import build
from portal.config import Settings
from portal.errors import PortalError
from portal.model.sign_in import is_loopback
from portal.services.doctor import Check, Doctor


def examine(load: Callable[[], Settings]) -> Iterator[Check]:
    """Yield what is found of the Portal that `load` gives the settings of; nothing is changed or made."""
    try:
        settings = load()
    except PortalError as error:
        yield Check(
            "settings",
            "failed",
            error.message,
            "Mend them in the settings file or the environment; the rest was not looked at",
        )
        return
    yield _settings(settings)
    folder = _folder(settings.data)
    yield folder
    if folder.status != "ok":
        return
    with build(settings) as portal:
        doctor = Doctor(
            portal.database, data=settings.data, providers=portal.providers, integrations=portal.integrations
        )
        yield from doctor.examine()


def _settings(settings: Settings) -> Check:
    if not is_loopback(settings.host) and settings.guests:
        told = f"Guests are answered, and the host is {settings.host}"
        return Check(
            "settings", "warning", told, "Set guests = false, or keep others than you from reaching this address"
        )
    return Check("settings", "ok", "Understood")


def _folder(data: Path) -> Check:
    if not data.is_dir():
        there = next(parent for parent in [data, *data.parents] if parent.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            return Check(
                "data folder", "failed", f"{data} cannot be made", "Make it, for the server's user to write in"
            )
        return Check(
            "data folder", "warning", f"{data} is not there yet", "Run portal serve or portal ingest; it is made then"
        )
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return Check(
            "data folder",
            "failed",
            f"{data} cannot be written to",
            f"Give it to the server's user: chown -R USER {data}",
        )
    return Check("data folder", "ok", str(data))
