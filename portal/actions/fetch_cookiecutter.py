"""Renders a folder with cookiecutter into the workspace.

Rule: scaffolder-backend-module-cookiecutter 0.3 `fetch:cookiecutter`: the folder itself is what is rendered, so that
hooks in it are files as others are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from portal.actions.child import run_child
from portal.actions.contract import ActionContext, Example
from portal.actions.fetch import folder_of
from portal.actions.schema import ActionSchema, Texts, Value
from portal.errors import ActionError, InputError
from portal.scaffolder.binary import is_binary
from portal.scaffolder.json_text import parse_json
from portal.scaffolder.skeleton import SkeletonEntry, encode_text, inside_links

#: What may be loaded beside cookiecutter's own extensions: none of it reaches beyond the text.
_EXTENSIONS = frozenset({"jinja2.ext.do", "jinja2.ext.i18n", "jinja2.ext.loopcontrols"})
_LARGEST_BYTES = 32 * 1024 * 1024


class CookiecutterInput(ActionSchema):
    """The input of fetch:cookiecutter."""

    url = Value(str, required=True, description="Folder relative to the template's file, or a git url.")
    target_path = Value(str, key="targetPath", default="./", description="Folder of the workspace to write to.")
    values = Value(dict, required=True, description="What goes before the values of cookiecutter.json.")
    copy_without_render = Texts(key="copyWithoutRender", description="Globs of what is copied as it is.")
    extensions = Texts(description="Extensions of Jinja2: jinja2.ext.do, .i18n, .loopcontrols.")
    image_name = Value(str, key="imageName", description="Accepted, without effect: no container is used.")
    token = Value(str, description="Token for reading at the host of the url, from a secret.")


class FetchCookiecutter:
    """Renders a folder with cookiecutter."""

    id = "fetch:cookiecutter"
    description = "Renders the files of a folder, names and bodies, with cookiecutter into the workspace."
    input_schema = CookiecutterInput
    output_schema = None
    examples: Sequence[Example] = (
        Example(
            "Render a folder beside the template.",
            {
                "action": "fetch:cookiecutter",
                "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}},
            },
        ),
    )
    supports_dry_run = True

    def __init__(self, *, cpu_seconds: int = 10) -> None:
        self._cpu_seconds = cpu_seconds

    def run(self, context: ActionContext) -> None:
        """Render all, then write; files that are there are replaced. Hooks are not run."""
        given = context.input
        found = folder_of(self.id, context)
        entries = inside_links(found)
        values = _values(self.id, entries, given)
        texts = {
            entry.path: text for entry in entries if entry.kind == "file" and (text := _text_of(entry)) is not None
        }
        if sum(map(len, texts.values())) > _LARGEST_BYTES:
            raise ActionError(f"{self.id}: the texts have more than {_LARGEST_BYTES:,} characters together")
        request = {"values": values, "names": [entry.path for entry in entries], "texts": texts}
        with tempfile.TemporaryDirectory(prefix="cookiecutter-") as folder:
            reply = run_child(
                "cookiecutter_program.py",
                request,
                folder=Path(folder),
                action_id=self.id,
                cpu_seconds=self._cpu_seconds,
            )
        rendered = [
            _rendered(entry, name, reply["texts"].get(entry.path))
            for entry in entries
            if (name := reply["names"][entry.path]) and "//" not in f"/{name}/"
        ]
        context.workspace.write(rendered, folder=given["target_path"])
        context.log(f"Rendered {len(rendered)} files and directories")


def _values(action_id: str, entries: Sequence[SkeletonEntry], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what cookiecutter.json declares with what the input gives. Raises `InputError`."""
    values: Any = {}
    for entry in entries:
        if entry.path == "cookiecutter.json":
            values = parse_json(entry.content.decode("utf-8", "replace"), name=entry.path)
    if not isinstance(values, dict):
        raise InputError(f"cookiecutter.json: found {values!r}; expected a mapping")
    values |= given["values"]
    for name, listed in (("_copy_without_render", "copy_without_render"), ("_extensions", "extensions")):
        if given[listed] is not None:
            values[name] = given[listed]
    asked = values.get("_extensions") or []
    refused = [name for name in asked if name not in _EXTENSIONS] if isinstance(asked, list) else [asked]
    if refused:
        # Another would be any code that is installed here.
        raise InputError(f"{action_id}: found extension {refused[0]!r}; expected of {', '.join(sorted(_EXTENSIONS))}")
    return values


def _text_of(entry: SkeletonEntry) -> str | None:
    if is_binary(entry.content):
        return None
    try:
        return entry.content.decode()
    except UnicodeDecodeError:
        return None


def _rendered(entry: SkeletonEntry, name: str, text: str | None) -> SkeletonEntry:
    if text is None:
        return replace(entry, path=name)
    if b"\r\n" in entry.content:
        text = text.replace("\n", "\r\n")  # Jinja knows one kind of line end
    return replace(entry, path=name, content=encode_text(text))
