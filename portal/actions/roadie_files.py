"""Roadie's actions on files of the workspace.

Rules: scaffolder-backend-module-utils 4.1 `fs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.files import matching_files
from portal.actions.schema import ActionSchema, Records, Value
from portal.actions.scripting import call_script
from portal.actions.structured import read_yaml
from portal.actions.workspace import Workspace
from portal.errors import ActionError, InputError
from portal.scaffolder.json_text import parse_json, to_json
from portal.scaffolder.skeleton import encode_text

#: What a file may have whose content becomes a step's output, which goes into the task's row.
_LARGEST_PARSED_BYTES = 5 * 1024 * 1024
#: What the files of one replacement may have together.
_LARGEST_REPLACED_BYTES = 16 * 1024 * 1024
_PATH = "Path in the workspace."


class PathOutput(ActionSchema):
    """The output of actions that write a file."""

    path = Value(str, description="Path of the file in the workspace.")


class WriteInput(ActionSchema):
    """The input of roadiehq:utils:fs:write."""

    path = Value(str, required=True, description=_PATH)
    content = Value(str, required=True, description="The content of the file.")
    preserve_format = Value(
        bool, key="preserveFormatting", default=False, description="Indent a content that is JSON by two spaces."
    )


class FileWrite:
    """Writes a file."""

    id = "roadiehq:utils:fs:write"
    description = "Writes a file; one that is there is replaced, missing folders are made."
    input_schema = WriteInput
    output_schema = PathOutput
    examples: Sequence[Example] = (
        Example(
            "Write a file.",
            {
                "action": "roadiehq:utils:fs:write",
                "input": {"path": "src/VERSION", "content": "${{ parameters.version }}\n"},
            },
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Write."""
        content = context.input["content"]
        if context.input["preserve_format"]:
            content = to_json(parse_json(content, name=f"{self.id}: content"), indent=2)
        context.output("path", context.workspace.put(context.input["path"], encode_text(content)))
        context.log(f"Wrote {context.input['path']}")


class AppendInput(ActionSchema):
    """The input of roadiehq:utils:fs:append."""

    path = Value(str, required=True, description=_PATH)
    content = Value(str, required=True, description="What to put behind the content of the file.")


class FileAppend:
    """Appends to a file."""

    id = "roadiehq:utils:fs:append"
    description = "Appends to a file, which is made where it is missing; its folder must be there."
    input_schema = AppendInput
    output_schema = PathOutput
    examples: Sequence[Example] = (
        Example(
            "Append a line.",
            {"action": "roadiehq:utils:fs:append", "input": {"path": ".gitignore", "content": ".venv/\n"}},
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Append."""
        path, workspace = context.input["path"], context.workspace
        place = workspace.resolve(path)
        if not place.parent.is_dir():
            raise ActionError(f'{self.id}: the folder of "{path}" is not there')
        before = workspace.read(path) if place.exists() else b""
        context.output("path", workspace.put(path, before + encode_text(context.input["content"])))
        context.log(f"Appended to {path}")


class ParseInput(ActionSchema):
    """The input of roadiehq:utils:fs:parse."""

    path = Value(str, required=True, description=_PATH)
    parser = Value(
        str, choices=("yaml", "json", "multiyaml"), description="How to read it; a text without it. multiyaml: a list."
    )


class ParseOutput(ActionSchema):
    """The output of roadiehq:utils:fs:parse."""

    content = Value(description="The text, or what it means.")


class FileParse:
    """Reads a file for later steps."""

    id = "roadiehq:utils:fs:parse"
    description = "Reads a file of the workspace, as text, YAML or JSON, for later steps."
    input_schema = ParseInput
    output_schema = ParseOutput
    examples: Sequence[Example] = (
        Example(
            "Read a file of YAML.",
            {
                "id": "settings",
                "action": "roadiehq:utils:fs:parse",
                "input": {"path": "settings.yaml", "parser": "yaml"},
            },
        ),
    )
    supports_dry_run = True
    reads_only = True

    def run(self, context: ActionContext) -> None:
        """Read. Raises `InputError` for a content that is not what the parser reads."""
        path = context.input["path"]
        content = context.workspace.read(path, size_limit_bytes=_LARGEST_PARSED_BYTES)
        context.output("content", _PARSERS[context.input["parser"]](content, path))


def _first(content: bytes, name: str) -> Any:
    documents = read_yaml(content, name=name)
    if len(documents) > 1:
        raise InputError(f'{name}: found {len(documents)} documents; the parser "multiyaml" reads several')
    return documents[0] if documents else None


_PARSERS: Mapping[str | None, Callable[[bytes, str], Any]] = {
    None: lambda content, _name: content.decode("utf-8", "replace"),
    "json": lambda content, name: parse_json(content.decode("utf-8", "replace"), name=name),
    "yaml": _first,
    "multiyaml": lambda content, name: read_yaml(content, name=name),
}


class Replacement(ActionSchema):
    """One of the replacements of roadiehq:utils:fs:replace."""

    file = Value(str, required=True, description="Path or glob of the files.")
    find = Value(str, required=True, description="The text to find.")
    replace_with = Value(str, key="replaceWith", required=True, description="What to put there; $& is what was found.")
    match_regex = Value(bool, key="matchRegex", default=False, description="find is a regular expression.")
    include_dot_files = Value(bool, key="includeDotFiles", default=False, description="A glob finds dot files too.")


class ReplaceInput(ActionSchema):
    """The input of roadiehq:utils:fs:replace."""

    files = Records(Replacement, required=True, description="What to replace where, in this order.")


class FileReplace:
    """Replaces texts in files."""

    id = "roadiehq:utils:fs:replace"
    description = "Replaces each place of a text, or of a regular expression of JavaScript, in files."
    input_schema = ReplaceInput
    output_schema = None
    examples: Sequence[Example] = (
        Example(
            "Put a name into all files of Python.",
            {
                "action": "roadiehq:utils:fs:replace",
                "input": {"files": [{"file": "**/*.py", "find": "PROJECT", "replaceWith": "${{ parameters.name }}"}]},
            },
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Replace. Files that are not text stay as they are, which is told."""
        for item in context.input["files"]:
            if not item["file"]:
                raise InputError(f"{self.id}: Path to file needs to be defined")
            if not item["find"] or not item["replace_with"]:
                raise InputError(f"{self.id}: each file must have a find and replaceWith property")
            paths = matching_files(context.workspace, item["file"], dot_files=item["include_dot_files"])
            texts = _texts(context.workspace, paths, context.log)
            given = {
                "texts": list(texts.values()),
                "find": item["find"],
                "with": item["replace_with"],
                "regex": item["match_regex"],
            }
            replaced = call_script(_REPLACE, given, action_id=self.id) if texts else []
            changed = [
                (path, after) for (path, before), after in zip(texts.items(), replaced, strict=True) if after != before
            ]
            for path, text in changed:
                context.workspace.put(path, encode_text(text))
            context.log(f"Replaced in {len(changed)} of {len(paths)} files that {item['file']} means")


#: JavaScript's own replacing, so that its expressions and `$1` mean what they mean in Backstage.
_REPLACE = """
function main({ texts, find, regex, with: replacement }) {
  const wanted = regex ? new RegExp(find, "g") : find;
  return texts.map((text) => text.replaceAll(wanted, replacement));
}
"""


def _texts(workspace: Workspace, paths: Sequence[str], log: Callable[[str], None]) -> dict[str, str]:
    found: dict[str, str] = {}
    total = 0
    for path in paths:
        content = workspace.read(path)
        total += len(content)
        if total > _LARGEST_REPLACED_BYTES:
            raise ActionError(f"The files have more than {_LARGEST_REPLACED_BYTES:,} bytes together; name fewer")
        try:
            found[path] = content.decode()
        except UnicodeDecodeError:
            log(f"{path} is no text and stays as it is")
    return found
