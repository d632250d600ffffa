"""Runs commands of Portal, each in a process of its own that is forked from one which has imported all they need.

A command that is begun anew imports for a second and more; the tests run hundreds. How a command begins by itself is
seen where tests run `python -m portal`.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any


def run(arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `portal` with arguments in a folder until it ends, with this environment and no input."""
    with tempfile.TemporaryDirectory() as told:
        files = [Path(told, name) for name in ("output", "errors")]
        process = _context().Process(
            target=_command, args=(list(arguments), str(folder), dict(environment), [str(file) for file in files])
        )
        process.start()
        process.join()
        texts = [file.read_text("utf-8") for file in files]
        code = process.exitcode
        process.close()
    return subprocess.CompletedProcess(["portal", *arguments], code or 0, *texts)


@cache
def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["preloaded"])
    here = Path(__file__).parent
    kept = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{here.parent}{os.pathsep}{here}"
    forkserver.ensure_running()  # with this path
    if kept is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = kept
    return context


def _command(arguments: list[str], folder: str, environment: dict[str, str], files: list[str]) -> None:
    """Become the command; what it prints goes into two files."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
    sys.argv = ["portal", *arguments]
    from portal.cli import main  # noqa: PLC0415  # preloaded

    main()
