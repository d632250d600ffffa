"""`portal template generated` and `portal template upgrade`: generated repositories brought up to date."""

from __future__ import annotations

import json
import subprocess

import pytest
from catalogs import documents, group
from scaffolds import template
from servers import run_portal

STEPS = [
    {
        "id": "fetch",
        "action": "fetch:template",
        "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}},
    },
    {"id": "publish", "action": "publish:git", "input": {"name": "${{ parameters.name }}"}},
    {"action": "catalog:register", "input": {"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"}},
]
COMPONENT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: ${{ values.name }}
spec: {type: service, lifecycle: experimental, owner: team-a}
"""


@pytest.mark.slow
def test_a_repository_is_listed_previewed_and_upgraded(tmp_path, repo):
    source = repo(
        {
            "catalog-info.yaml": documents(group("team-a")) + "\n---\n" + json.dumps(template("made", STEPS)),
            "skeleton/catalog-info.yaml": COMPONENT,
            "skeleton/README.md": "one\n",
        }
    )

    def portal(*arguments):
        return run_portal(*arguments, folder=tmp_path)

    (tmp_path / "values.yaml").write_text("name: sensors\n")
    assert portal("ingest", source.url).returncode == 0
    assert portal("template", "generated").stdout == "nothing is known to be generated\n"
    done = portal("template", "run", "made", "--values", "values.yaml")
    assert done.returncode == 0, done.stdout
    now = source.commit({"skeleton/README.md": "two\n"})

    told = portal("template", "generated", "made", "--json")
    (item,) = json.loads(told.stdout)["items"]
    assert (item["entities"], item["behind"], item["note"]) == (["component:default/sensors"], 1, None)
    assert " 1 behind\n" in portal("template", "generated", "made").stdout

    preview = portal("template", "upgrade", item["repository"], "--dry-run")
    assert preview.returncode == 0, preview.stderr
    assert "-one\n+two\n" in preview.stdout
    assert "nothing was pushed" in preview.stdout

    # A folder that somebody works in gets the branch, and stays as it is.
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", item["repository"], str(clone)], check=True)
    (clone / "README.md").write_text("ours\n")
    subprocess.run(["git", "commit", "--quiet", "--all", "--message", "ours"], cwd=clone, check=True)
    (clone / "README.md").write_text("in work\n")
    branch = f"portal/upgrade-made-{now[:12]}"
    clash = portal("template", "upgrade", "clone", "--json")
    assert clash.returncode == 1
    (result,) = json.loads(clash.stdout)
    assert (result["status"], result["branch"]) == ("pushed", branch)
    assert "README.md" in result["conflicts"][0]
    assert (clone / "README.md").read_text() == "in work\n"
    shown = subprocess.run(
        ["git", "show", f"{branch}:README.md"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "<<<<<<< repository\nours\n=======\ntwo\n>>>>>>> template\n"

    pushed = portal("template", "upgrade", "--all", "made")
    assert pushed.returncode == 0, pushed.stderr
    assert f" to {branch}, 3 files\n" in pushed.stdout
    again = portal("template", "upgrade", "--all", "made")
    assert again.returncode == 1
    assert "already has a branch" in again.stdout
    records = json.loads(portal("audit", "--action", "template.upgrade", "--json").stdout)["items"]
    assert [(record["on"], record["result"]) for record in records] == [
        ("all of made", "failed"),
        ("all of made", "success"),
        ("clone", "success"),
    ]


def test_what_is_asked_for_wrongly_is_told(tmp_path):
    assert "Name one repository" in run_portal("template", "upgrade", folder=tmp_path).stderr
    told = run_portal("template", "upgrade", ".", "--set", "=x", folder=tmp_path).stderr
    assert "expected NAME=VALUE" in told
