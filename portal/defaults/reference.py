"""Finds the catalog that Portal serves when none is named: its own repository."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import portal


def reference_catalog() -> tuple[str, str]:
    """Return (type, target) of the reference catalog.

    It is Portal's own repository, read through git at its HEAD; the folder where that is no git checkout; the copy in
    the installed distribution otherwise.
    """
    checkout = Path(portal.__file__).resolve().parent.parent
    if (checkout / "catalog-info.yaml").is_file() and (checkout / "catalog").is_dir():
        if (checkout / ".git").exists():
            return "url", f"{checkout.as_uri()}#:catalog-info.yaml"
        return "file", str(checkout / "catalog-info.yaml")
    return "file", str(Path(str(files("portal") / "reference" / "catalog-info.yaml")))
