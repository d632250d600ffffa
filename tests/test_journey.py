"""The whole journey on a real server: YAML in git, ownership graph, a template, a new repository with its owner."""

import json
import subprocess
import sys
from pathlib import Path

from catalogs import component
from repositories import MakeRepository
from servers import ROOT, free_port, run_portal, serving
from waiting import eventually

VALUES = {
    "name": "store-visits",
    "description": 'Visits of each store, "by hour": counted',
    "owner": "group:default/mlops",
    "datasetType": "table",
    "format": "csv",
    "classification": "internal",
    "checksSteward": "group:default/cloud-security",
    "automationSteward": "group:default/devops",
}
DATASET = "/api/catalog/entities/by-name/dataset/default/store-visits"
CATALOG = str(ROOT / "catalog-info.yaml")


def test_a_template_makes_a_dataset_that_is_owned_as_asked(tmp_path: Path) -> None:
    with serving(tmp_path, "--catalog", CATALOG) as server:
        assert server.ask(DATASET)[0] == 404
        refused = server.ask(
            "/api/scaffolder/v2/tasks",
            method="POST",
            body={
                "templateRef": "template:default/shared-dataset",
                "values": VALUES | {"owner": "group:default/support-assistant"},
            },
        )
        unknown = server.ask(
            "/api/scaffolder/v2/tasks",
            method="POST",
            body={"templateRef": "template:default/shared-dataset", "values": VALUES | {"owner": "group:default/gone"}},
        )
        assert refused[0] == unknown[0] == 400
        assert "portal/owner-role" in json.dumps(refused[1])
        assert "group:default/mlops" in json.dumps(refused[1])
        assert server.ask("/api/scaffolder/v2/tasks")[1]["totalTasks"] == 0

        status, created = server.ask(
            "/api/scaffolder/v2/tasks",
            method="POST",
            body={"templateRef": "template:default/shared-dataset", "values": VALUES},
        )
        assert status == 201, created
        task = f"/api/scaffolder/v2/tasks/{created['id']}"
        events = server.ask(f"{task}/eventstream")[1]
        assert server.ask(task)[1]["status"] == "completed", events
        assert "event: completion" in events

        entity = server.ask(DATASET)[1]
        assert {"type": "ownedBy", "targetRef": "group:default/mlops"} in entity["relations"]
        assert {"type": "generatedFrom", "targetRef": "template:default/shared-dataset"} in entity["relations"]
        graph = server.ask("/api/ownership/graph?root=dataset:default/store-visits&direction=out&relations=ownedBy")[1]
        assert graph["edges"] == [
            {"source": "dataset:default/store-visits", "target": "group:default/mlops", "type": "ownedBy"}
        ]
        (node,) = [item for item in graph["nodes"] if item["kind"] == "dataset"]
        assert (node["layer"], node["owner"]) == ("layer:default/shared", "group:default/mlops")
        wrong = server.ask("/api/ownership/problems")[1]
        assert (wrong["total"], wrong["problems"], wrong["findings"]) == (0, [], [])
        assert "store-visits" in server.ask("/")[1]

    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", str(tmp_path / "data/repositories/store-visits.git"), str(clone)], check=True
    )
    assert "* @mlops" in (clone / "CODEOWNERS").read_text()
    assert "template:default/shared-dataset" in (clone / ".portal/answers.yaml").read_text()
    assert VALUES["description"] in (clone / "README.md").read_text()
    checked = subprocess.run(
        [sys.executable, "checks/check_schema.py"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert "2 rows follow the schema" in checked.stdout
    assert run_portal("validate", str(ROOT), str(clone), folder=tmp_path).returncode == 0


def test_a_killed_server_finishes_its_task_when_it_is_back(tmp_path: Path, repo: MakeRepository) -> None:
    slow = (ROOT / "scaffolder_templates/shared-dataset/template.yaml").read_text()
    slow = slow.replace("name: shared-dataset", "name: slow-dataset").replace(
        "    - id: publish\n",
        "    - id: wait\n      action: debug:wait\n      input: { seconds: 3 }\n    - id: publish\n",
    )
    shipped = ROOT / "scaffolder_templates/shared-dataset"
    made = repo(
        {path.relative_to(shipped).as_posix(): path.read_bytes() for path in shipped.rglob("*") if path.is_file()}
        | {"template.yaml": slow}
    )
    catalogs = ("--catalog", CATALOG, "--catalog", f"{made.url}#main:template.yaml")
    port = free_port()
    with serving(tmp_path, *catalogs, port=port) as server:
        status, created = server.ask(
            "/api/scaffolder/v2/tasks",
            method="POST",
            body={"templateRef": "template:default/slow-dataset", "values": VALUES},
        )
        assert status == 201, created
        task = f"/api/scaffolder/v2/tasks/{created['id']}"
        eventually(lambda: "wait" in json.dumps(server.ask(f"{task}/events")[1]), "the task to wait")
        server.kill()
    with serving(tmp_path, *catalogs, port=port) as server:
        eventually(lambda: server.ask(task)[1]["status"] in {"completed", "failed"}, "the task to end")
        assert server.ask(task)[1]["status"] == "completed", server.ask(f"{task}/events")[1]
        assert server.ask(DATASET)[0] == 200
    commits = subprocess.run(
        ["git", "rev-list", "--count", "--all"],
        cwd=tmp_path / "data/repositories/store-visits.git",
        capture_output=True,
        check=True,
    )
    assert commits.stdout.strip() == b"1"


def test_a_registered_location_follows_its_repository(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": component("one", owner="mlops")}, name="../data/repositories/one")
    with serving(tmp_path, "--catalog", CATALOG) as server:
        body = {"type": "url", "target": f"{made.url}#main:catalog-info.yaml"}
        tried = server.ask("/api/catalog/locations?dryRun=true", method="POST", body=body)
        assert (tried[0], tried[1]["exists"], len(tried[1]["entities"])) == (201, False, 1)
        status, added = server.ask("/api/catalog/locations", method="POST", body=body)
        assert status == 201
        assert server.ask("/api/catalog/locations", method="POST", body=body)[0] == 409
        assert [item["data"]["id"] for item in server.ask("/api/catalog/locations")[1]] == [added["location"]["id"]]
        outside = {"type": "url", "target": "file:///etc#main:passwd"}
        assert server.ask("/api/catalog/locations?dryRun=true", method="POST", body=outside)[0] == 400

        made.commit({"catalog-info.yaml": component("two", owner="mlops")})
        refreshed = server.ask("/api/catalog/refresh", method="POST", body={"entityRef": "component:default/one"})
        assert refreshed[0] == 200
        assert server.ask("/api/catalog/entities/by-name/component/default/one")[0] == 404
        assert server.ask("/api/catalog/entities/by-name/component/default/two")[0] == 200
        assert server.ask(f"/api/catalog/locations/{added['location']['id']}", method="DELETE")[0] == 204
        assert server.ask("/api/catalog/entities/by-name/component/default/two")[0] == 404
        assert server.ask(f"/api/catalog/locations/{added['location']['id']}", method="DELETE")[0] == 404
