"""All messages that pages may show in another language, gathered from where they are written."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

from acting import shipped
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from ruamel.yaml import YAML
from servers import ROOT

from portal.actions.schema import json_schema
from portal.api.openapi import openapi_document
from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings
from portal.defaults.extensions import all_extensions, engine_with
from portal.defaults.kinds import all_kinds
from portal.model.kind_fields import fields_of
from portal.scaffolder.extensions import templating_extensions
from portal.web.links import words

_OF_PAGES = [("portal/web/**.py", "python"), ("portal/web/templates/**.html", "jinja2")]
#: Makes sentences of what it is given, and is no place where any is written.
_MAKER = ROOT / "portal" / "model" / "sentence.py"
_SAID_BY_POLICIES = ("explanation", "message", "fix")


@cache
def messages() -> Mapping[Any, str]:
    """Return each message with a file that it is in; one with a plural is a pair."""
    found: dict[Any, str] = {}
    keywords = DEFAULT_KEYWORDS | {"N_": None}
    for file, _, message, _, _ in extract_from_dir(str(ROOT), method_map=_OF_PAGES, keywords=keywords):
        found.setdefault(message, file)
    for message, file in (*_sentences(), *_of_kinds(), *_of_templates(), *_of_routes(), *_of_policies()):
        found.setdefault(message, file)
    return found


def _sentences() -> Iterator[tuple[str, str]]:
    """Yield the templates of sentences, wherever services, rules and readers make them.

    Babel's own search would do as well, and takes ten times as long for all of Portal.
    """
    for path in sorted((ROOT / "portal").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "Sentence(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "Sentence":
                continue
            (template,) = node.args
            file = str(path.relative_to(ROOT))
            if isinstance(template, ast.Constant) and isinstance(template.value, str):
                yield template.value, file
            else:
                assert path == _MAKER, f"{file}:{node.lineno}: the template of a sentence stands in the call"


def _of_kinds() -> Iterator[tuple[str, str]]:
    for kind in all_kinds():
        yield kind.description, "portal/model"
        for field in fields_of(kind):
            if field.description:
                yield field.description, "portal/model"
            if field.relation is None:
                yield words(field.name.partition(".")[0]), "portal/model"


def _of_templates() -> Iterator[tuple[str, str]]:
    """Yield what actions, filters and functions say of themselves."""
    extensions = all_extensions()
    with engine_with(extensions, {}) as engine:
        for action in shipped(engine, ROOT).values():
            told = [action.description, *(example.description for example in action.examples)]
            schemas = (
                [action.input_schema] if action.output_schema is None else [action.input_schema, action.output_schema]
            )
            told += _descriptions([json_schema(schema) for schema in schemas])
            yield from ((text, "portal/actions") for text in told)
    yield from ((text, "portal/scaffolder") for text in _descriptions(templating_extensions(extensions)))


def _of_routes() -> Iterator[tuple[str, str]]:
    """Yield what the reference of the API says of routes and types."""
    with TemporaryDirectory() as folder, build(load_settings(environment={}, overrides={"data": folder})) as portal:
        document = openapi_document(create_app(portal))
    yield from ((text, "portal/api/openapi") for text in _descriptions(document))


def _descriptions(told: Any) -> Iterator[str]:
    if isinstance(told, Mapping):
        for name, value in told.items():
            if name in {"description", "notes", "summary"} and isinstance(value, str) and value:
                yield value
            elif name != "example":
                yield from _descriptions(value)
    elif isinstance(told, Sequence) and not isinstance(told, str):
        for value in told:
            yield from _descriptions(value)


def _of_policies() -> Iterator[tuple[str, str]]:
    """Yield the sentences of the rules that the shipped organisation declares."""
    path = ROOT / "catalog" / "layers" / "policies.yaml"
    for document in YAML(typ="safe").load_all(path):
        for name in _SAID_BY_POLICIES:
            if name in document["spec"]:
                yield document["spec"][name], "catalog/layers/policies.yaml"
