"""Finds the data folder where none is named."""

from __future__ import annotations

import os
from pathlib import Path

#: The name of the folder, which is also that of the folder where a repository that a template made has its record.
NAME = ".portal"
_RECORD = "answers.yaml"
#: Either is there as soon as a folder is used.
_OWN_FILES = ("instance.key", "portal.db")
#: The record of a generated repository is no data of ours.
_IGNORED = f"# Keys, databases, mirrors: nothing here belongs into a repository.\n*\n!{_RECORD}\n"


def data_folder(here: Path) -> Path:
    """Return the data folder for commands in a folder: `.portal` in it.

    In a repository that a template made, whose `.portal` has its record, it is that of the nearest folder above the
    repository that has one of the same user.
    """
    for folder in (here, *here.parents):
        if (folder / NAME / _RECORD).is_file() and not _is_used(folder / NAME):
            above = (parent / NAME for parent in folder.parents)
            return next((found for found in above if _is_used(found)), here / NAME)
    return here / NAME


def make_data_folder(folder: Path) -> None:
    """Make a data folder, if it is not there, which git leaves alone but for the record of a generated repository.

    One that is there under another name may hold more than our data: what git takes of it stays as it is.
    """
    is_ours = folder.name == NAME or not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    ignored = folder / ".gitignore"
    if is_ours and not ignored.exists():
        ignored.write_text(_IGNORED, encoding="utf-8")


def _is_used(folder: Path) -> bool:
    # What another user has put there may be meant to be taken for ours.
    return any((folder / name).is_file() for name in _OWN_FILES) and folder.stat().st_uid == os.getuid()
