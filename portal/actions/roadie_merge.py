"""Roadie's actions that merge into files of JSON or YAML.

Rules: scaffolder-backend-module-utils 4.1 `merge`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from portal.actions.contract import ActionContext, Example
from portal.actions.roadie_files import PathOutput
from portal.actions.schema import ActionSchema, Record, Value
from portal.actions.structured import YamlOptions, read_yaml, width_of, write_yaml
from portal.errors import ActionError, InputError
from portal.scaffolder.json_text import indent_of, parse_json, to_json
from portal.scaffolder.merging import merge
from portal.scaffolder.skeleton import encode_text

_LARGEST_BYTES = 5 * 1024 * 1024
_MARKER = re.compile(r"^---[ \t]*\r?$\n?", re.MULTILINE)
_CONTENT = "What to merge in: a mapping, or its text."
_LISTS = "Lists get the items behind their own, each once; without it item by item."


class JsonMergeInput(ActionSchema):
    """The input of roadiehq:utils:json:merge."""

    path = Value(str, required=True, description="File of the workspace; made where it is missing.")
    content = Value(str, dict, required=True, description=_CONTENT)
    merge_arrays = Value(bool, key="mergeArrays", default=False, description=_LISTS)
    match_file_indent = Value(bool, key="matchFileIndent", default=False, description="Indent as the file does.")


class JsonMerge:
    """Merges into a file of JSON."""

    id = "roadiehq:utils:json:merge"
    description = "Merges a value into a file of JSON, which is made where it is missing."
    input_schema = JsonMergeInput
    output_schema = PathOutput
    examples: Sequence[Example] = (
        Example(
            "Add a script to package.json.",
            {
                "action": "roadiehq:utils:json:merge",
                "input": {"path": "package.json", "content": {"scripts": {"test": "vitest"}}, "matchFileIndent": True},
            },
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Merge. Raises `InputError` for what is no JSON."""
        given = context.input
        text = _text_of(context, missing="{}")
        change = _change(given["content"], name=self.id, is_json=True)
        merged = merge(
            _mergeable(parse_json(text, name=given["path"]), given["path"]), change, joins_lists=given["merge_arrays"]
        )
        indent = indent_of(text) if given["match_file_indent"] else 2
        context.output("path", context.workspace.put(given["path"], encode_text(to_json(merged, indent=indent))))
        context.log(f"Merged into {given['path']}")


class Selection(ActionSchema):
    """Which document of a YAML file to merge into."""

    key = Value(str, default="", description="Name of a field, dotted for one further in.")
    value = Value(str, default="", description="What the field is in the document that is meant.")


class MergeInput(ActionSchema):
    """The input of roadiehq:utils:merge and roadiehq:utils:yaml:merge."""

    path = Value(str, required=True, description="File of the workspace.")
    content = Value(str, dict, required=True, description=_CONTENT)
    merge_arrays = Value(bool, key="mergeArrays", default=False, description=_LISTS)
    preserve_comments = Value(bool, key="preserveYamlComments", default=False, description="Keep comments of YAML.")
    selection = Record(Selection, key="useDocumentIncludingField", description="Which of several documents of YAML.")
    options = Record(YamlOptions, description="How YAML is written.")


class FileMerge:
    """Merges into a file of JSON or YAML, by the end of its name."""

    id = "roadiehq:utils:merge"
    description = "Merges a value into a file of JSON or YAML that is there."
    input_schema = MergeInput
    output_schema = PathOutput
    examples: Sequence[Example] = (
        Example(
            "Set the replicas of one of several documents, with all comments kept.",
            {
                "action": "roadiehq:utils:merge",
                "input": {
                    "path": "deploy.yaml",
                    "content": {"spec": {"replicas": 2}},
                    "useDocumentIncludingField": {"key": "kind", "value": "Deployment"},
                    "preserveYamlComments": True,
                },
            },
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Merge. Raises `ActionError` where the file is missing, `InputError` for one that is neither."""
        given = context.input
        ending = PurePosixPath(given["path"]).suffix
        text = _text_of(context)
        if ending == ".json":
            change = _change(given["content"], name=self.id, is_json=True)
            value = _mergeable(parse_json(text, name=given["path"]), given["path"])
            result = to_json(merge(value, change, joins_lists=given["merge_arrays"]), indent=2)
        elif ending in {".yaml", ".yml"}:
            result = _merged_yaml(context, text, _change(given["content"], name=self.id))
        else:
            raise InputError(f'{self.id}: found "{given["path"]}"; expected a file .json, .yaml or .yml')
        context.output("path", context.workspace.put(given["path"], encode_text(result)))
        context.log(f"Merged into {given['path']}")


class YamlMerge:
    """Merges into a file of YAML, whatever its name."""

    id = "roadiehq:utils:yaml:merge"
    description = "Merges a value into a file of YAML, which is made where it is missing."
    input_schema = MergeInput
    output_schema = PathOutput
    examples: Sequence[Example] = (
        Example(
            "Add a setting.",
            {"action": "roadiehq:utils:yaml:merge", "input": {"path": "settings.yaml", "content": "level: debug"}},
        ),
    )
    supports_dry_run = True

    def run(self, context: ActionContext) -> None:
        """Merge. Raises `InputError` for what is no YAML."""
        path = context.input["path"]
        result = _merged_yaml(
            context, _text_of(context, missing="{}\n"), _change(context.input["content"], name=self.id)
        )
        context.output("path", context.workspace.put(path, encode_text(result)))
        context.log(f"Merged into {path}")


def _text_of(context: ActionContext, *, missing: str | None = None) -> str:
    """Return the text of the file, or what stands for a missing one. Raises `ActionError`, `InputError`."""
    path = context.input["path"]
    if not context.workspace.resolve(path).exists():
        if missing is None:
            raise ActionError(f"The file {path} does not exist.")
        context.log(f"The file {path} does not exist, creating it.")
        return missing
    try:
        return context.workspace.read(path, size_limit_bytes=_LARGEST_BYTES).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: found bytes that are no UTF-8; expected a text") from error


def _change(content: Any, *, name: str, is_json: bool = False) -> Any:
    if not isinstance(content, str):
        return content
    if is_json:
        return _mergeable(parse_json(content, name=f"{name}: content"), "content")
    documents = read_yaml(content.encode("utf-8", "replace"), name="content")
    if len(documents) != 1:
        raise InputError(f"content: found {len(documents)} documents of YAML; expected one")
    return _mergeable(documents[0], "content")


def _mergeable(value: Any, name: str) -> Any:
    if not isinstance(value, (dict, list)):
        raise InputError(f"{name}: found {value!r}; expected a mapping or a list")
    return value


def _merged_yaml(context: ActionContext, text: str, change: Any) -> str:
    """Return a YAML file with the change in its document, or in the one of several that is selected."""
    given, path = context.input, context.input["path"]
    values = read_yaml(text.encode(), name=path)
    if not values:
        raise ActionError("No documents found in the input content. Please provide a valid YAML file.")
    if len(values) > 1 and not given["selection"]["key"]:
        raise ActionError(
            "Multiple documents found in the input content. Please provide a key and value to use to find the document "
            "to merge into."
        )
    chosen = [True] if len(values) == 1 else _chosen(values, given["selection"], strict=not given["preserve_comments"])
    if not any(chosen):
        context.log(f"No document of {path} has {given['selection']['key']}: {given['selection']['value']}")
    for value, is_chosen in zip(values, chosen, strict=True):
        if is_chosen:
            _mergeable(value, path)
    options, joins = given["options"], given["merge_arrays"]
    if not given["preserve_comments"]:
        merged = [
            merge(value, change, joins_lists=joins) if is_chosen else value
            for value, is_chosen in zip(values, chosen, strict=True)
        ]
        return "---\n".join(write_yaml(value, options) for value in merged)
    from portal.actions.yaml_merge import merge_into_yaml  # noqa: PLC0415  # few need ruamel.yaml

    parts = [part for part in _MARKER.split(text) if read_yaml(part.encode(), name=path)]
    if len(parts) != len(values):
        raise InputError(f"{path}: its documents cannot be told apart; leave out preserveYamlComments")
    return "---\n".join(
        merge_into_yaml(part, change, name=path, joins_lists=joins, indent=options["indent"], width=width_of(options))
        if is_chosen
        else part
        for part, is_chosen in zip(parts, chosen, strict=True)
    )


def _chosen(values: Sequence[Any], selection: Mapping[str, str], *, strict: bool) -> list[bool]:
    found = [_field(value, selection["key"]) for value in values]
    if strict and not all(isinstance(field, (str, int, float)) and not isinstance(field, bool) for field in found):
        raise ActionError(
            f'The value at "{selection["key"]}" defined in useDocumentIncludingField must be a string or a number.'
        )
    return [field is not None and to_json(field).strip('"') == selection["value"] for field in found]


def _field(value: Any, key: str) -> Any:
    """Return the field that a key names, dotted for one further in; None where there is none."""
    if isinstance(value, dict) and key in value:
        return value[key]
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
