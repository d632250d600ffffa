"""Actions over real folders against cases recorded from Backstage's own packages."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from acting import Registering, Runner, shipped, tree, write

from portal.defaults.engine import build_engine
from portal.errors import ActionError, InputError, NotAllowedError, PortalError, TemplateError
from portal.ingest.yaml import parse

FOLDER = Path(os.environ.get("PORTAL_CASES_DIR", Path(__file__).parents[2].parent / "shared" / "reference"))
FILE = FOLDER / "scaffolder-cases.json"
CASES = json.loads(FILE.read_text("utf-8"))["cases"] if FILE.exists() else []
#: Of what the scaffolder itself does with steps other tests tell.
FAMILIES = ("fetch:", "fs:", "catalog:")
#: Unknown inputs are told and let through, as decision D2 of the reference has it, unless the settings are strict.
STRICT = {"s-flow-009"}

pytestmark = pytest.mark.skipif(not CASES, reason=f"{FILE.name} is not there; PORTAL_CASES_DIR names it")


def flows():
    found = [
        case
        for case in CASES
        if case["kind"] == "flow"
        and (steps := case["input"]["spec"]["steps"])
        and all(step["action"].startswith(FAMILIES) for step in steps)
    ]
    return pytest.mark.parametrize("case", found, ids=[case["id"] for case in found])


def trees():
    found = [case for case in CASES if case["kind"] == "render-tree"]
    return pytest.mark.parametrize("case", found, ids=[case["id"] for case in found])


@pytest.fixture(scope="module")
def actions(tmp_path_factory):
    with build_engine({}) as engine:
        yield shipped(engine, tmp_path_factory.mktemp("repositories"))


@flows()
def test_flows(case, actions, tmp_path):
    run, fault = Runner(tmp_path), None
    write(run.template, case["input"]["files"])
    outputs = {}
    try:
        for number, step in enumerate(case["input"]["spec"]["steps"], 1):
            name = step.get("id", f"step-{number}")
            outputs[name], _ = run(
                actions[step["action"]], step.get("input"), catalog=Registering(), strict=case["id"] in STRICT
            )
    except PortalError as error:
        fault = error
    names = {403: NotAllowedError, 400: InputError, 500: ActionError}
    if case["expect"]["status"] != 200:
        assert type(fault) is names[case["expect"]["status"]]
        return
    assert fault is None
    assert list(outputs) == [name for name, _ in case["expect"]["steps"]]
    # Values are compared, not the way they are written: Backstage leaves out quotes that old readers need.
    found, expected = tree(run.work), case["expect"].get("files", {})
    assert {path: parse(text.encode())[0].value for path, text in found.items()} == {
        path: parse(text.replace("template:default/dry-run", "template:default/t").encode())[0].value
        for path, text in expected.items()
    }


@trees()
def test_trees_on_disk(case, actions, tmp_path):
    run, error = Runner(tmp_path), None
    lay(run.template, case["input"]["template"])
    lay(run.work, case["input"]["workspace"])
    try:
        run(actions[case["input"]["action"]], case["input"]["input"])
    except PortalError as fault:
        error = {InputError: "InputError", NotAllowedError: "NotAllowedError", TemplateError: "template-error"}[
            type(fault)
        ]
    assert (told(run.work), error) == (case["expect"]["tree"], case["expect"].get("error"))


def lay(folder, files):
    """Write what the recording's notation means."""
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None or path.endswith("/"):
            place.mkdir(exist_ok=True)
        elif isinstance(content, str):
            place.write_text(content, newline="")
        elif "link" in content:
            place.symlink_to(content["link"])
        elif "b64" in content:
            place.write_bytes(base64.b64decode(content["b64"]))
        else:
            place.write_text(content["text"], newline="")
            place.chmod(int(content["mode"], 8))


def told(folder):
    """Return the recording's notation for a folder."""
    found = {}
    for place in sorted(folder.rglob("*")):
        path = place.relative_to(folder).as_posix()
        if place.is_symlink():
            found[path] = {"link": str(place.readlink())}
        elif place.is_dir():
            if not any(place.iterdir()):
                found[f"{path}/"] = "<emptydir>"
        elif b"\0" in (content := place.read_bytes()):
            found[path] = {"b64": base64.b64encode(content).decode()}
        else:
            mode = place.stat().st_mode & 0o777
            found[path] = {"text": content.decode(), "mode": f"{mode:o}"} if mode & 0o100 else content.decode()
    return found
