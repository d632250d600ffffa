"""publish:github:pull-request and github:actions:dispatch, against GitHub's published description and real git."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from acting import Runner, write
from githubs import GitHub

from portal.errors import ConflictError, InputError, NotFoundError


@pytest.fixture(autouse=True)
def _base(hub: GitHub, run: Runner, tmp_path) -> None:
    """A repository with a commit, and a workspace with a change for it."""
    hub.add("acme/infra")
    work = tmp_path / "clone"
    work.mkdir()
    write(work, {"README.md": "# infra\n", "projects/old/a.txt": "old\n", "gone.txt": "gone\n", "place": "a file\n"})
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message=first"],
        ["push", "--quiet", str(hub.root / "acme/infra.git"), "main"],
    ):
        subprocess.run(["git", *command], cwd=work, check=True)
    write(run.work, {"a.txt": "new\n", "run.sh": "#!/bin/sh\n", ".gitignore": "*.log\n", "x.log": "noise\n"})
    (run.work / "run.sh").chmod(0o755)


def given(hub: GitHub, **more: Any) -> dict[str, Any]:
    return {
        "repoUrl": f"{hub.host}?owner=acme&repo=infra",
        "branchName": "add-sensors",
        "title": "Add sensors",
        "description": "As asked for.",
        **more,
    }


def files(hub: GitHub, branch: str) -> dict[str, str]:
    """Return the modes of the files of a branch by path."""
    lines = hub.git("acme/infra", "ls-tree", "-r", branch).splitlines()
    return {line.partition("\t")[2]: line[:6] for line in lines}


def test_files_go_onto_a_branch_that_is_asked_to_be_merged(hub: GitHub, actions: Any, run: Runner) -> None:
    output, _ = run(
        actions.propose,
        given(
            hub,
            targetPath="projects/sensors",
            filesToDelete=["gone.txt"],
            draft=True,
            reviewers=["user:default/bob"],
            teamReviewers=["acme/mlops", "mlops"],
            assignees=["ann"],
            commitMessage="add sensors",
        ),
    )

    page = f"http://{hub.host}/acme/infra/pull/1"
    assert output == {"targetBranchName": "main", "remoteUrl": page, "pullRequestNumber": 1}
    assert files(hub, "add-sensors") == {
        "README.md": "100644",
        "place": "100644",
        "projects/old/a.txt": "100644",
        "projects/sensors/.gitignore": "100644",
        "projects/sensors/a.txt": "100644",
        "projects/sensors/run.sh": "100755",
    }
    assert hub.git("acme/infra", "log", "-1", "--format=%s", "add-sensors") == "add sensors"
    assert hub.git("acme/infra", "rev-parse", "add-sensors^") == hub.git("acme/infra", "rev-parse", "main")
    assert hub.pulls[0]["draft"] is True
    assert hub.kept["requested_reviewers"] == {"reviewers": ["bob"], "team_reviewers": ["mlops"]}
    assert hub.kept["assignees"] == {"assignees": ["ann"]}


@pytest.mark.slow
def test_a_folder_takes_the_place_of_a_file(hub: GitHub, actions: Any, run: Runner) -> None:
    run(actions.propose, given(hub, targetPath="place"))

    found = files(hub, "add-sensors")
    assert "place/a.txt" in found
    assert "place" not in found


@pytest.mark.slow
@pytest.mark.parametrize("line", ["Pushed", "The pull request is"])
def test_killed_anywhere_the_next_run_goes_on(line: str, hub: GitHub, actions: Any, run: Runner) -> None:
    def killed(message: str) -> None:
        if message.startswith(line):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(actions.propose, given(hub), log=killed)
    # The base goes on meanwhile, which changes nothing for the branch.
    tree = hub.git("acme/infra", "rev-parse", "main^{tree}")
    later = hub.git("acme/infra", "commit-tree", tree, "-p", "main", "-m", "later")
    hub.git("acme/infra", "update-ref", "refs/heads/main", later)
    output, _ = run(actions.propose, given(hub))

    assert output["pullRequestNumber"] == 1
    assert len(hub.pulls) == 1
    assert hub.git("acme/infra", "rev-list", "--count", "add-sensors") == "2"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["another", "task"])
def test_a_branch_with_something_else_is_not_touched_unless_it_is_to_be_updated(
    task: str, hub: GitHub, actions: Any, run: Runner
) -> None:
    run(actions.propose, given(hub), task_id=task)
    write(run.work, {"a.txt": "newer\n"})
    before = hub.git("acme/infra", "rev-parse", "add-sensors")
    with pytest.raises(ConflictError, match="nothing was pushed"):
        run(actions.propose, given(hub))
    assert hub.git("acme/infra", "rev-parse", "add-sensors") == before

    output, _ = run(actions.propose, given(hub, update=True))

    assert output["pullRequestNumber"] == 1
    assert hub.git("acme/infra", "rev-parse", "add-sensors^") == before
    assert hub.git("acme/infra", "show", "add-sensors:a.txt") == "newer"


@pytest.mark.slow
def test_where_nothing_differs_there_need_be_no_pull_request(hub: GitHub, actions: Any, run: Runner) -> None:
    for name in ("a.txt", "run.sh", ".gitignore", "x.log"):
        (run.work / name).unlink()
    write(run.work, {"README.md": "# infra\n"})
    output, lines = run(actions.propose, given(hub, createWhenEmpty=False))
    assert (output, hub.branches("acme/infra"), hub.pulls) == ({}, ["main"], [])
    assert lines == ["Nothing differs from what the repository has: no pull request is made"]

    assert run(actions.propose, given(hub))[0]["pullRequestNumber"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"targetBranchName": "gone"}, NotFoundError),
        ({"targetBranchName": "add-sensors"}, InputError),
        ({"branchName": "-x"}, InputError),
        ({"targetPath": "../up"}, InputError),
        ({"targetPath": ".git/hooks"}, InputError),
        ({"filesToDelete": ["../../up"]}, InputError),
        ({"assignees": ["a"] * 11}, InputError),
    ],
)
def test_what_cannot_be_proposed_is_refused_before_anything_is_pushed(
    wrong: dict[str, Any], error: type[Exception], hub: GitHub, actions: Any, run: Runner
) -> None:
    with pytest.raises(error):
        run(actions.propose, given(hub, **wrong))

    assert hub.branches("acme/infra") == ["main"]
    assert not hub.lines("POST")


def test_a_dry_run_of_both_asks_nobody(hub: GitHub, actions: Any, run: Runner) -> None:
    output, _ = run(actions.propose, given(hub), is_dry_run=True)
    assert output == {
        "targetBranchName": "add-sensors",
        "remoteUrl": f"http://{hub.host}/acme/infra",
        "pullRequestNumber": 43,
    }
    wanted = {"repoUrl": f"{hub.host}?owner=acme&repo=infra", "workflowId": "deploy.yaml", "branchOrTagName": "main"}
    _, lines = run(actions.dispatch, wanted, is_dry_run=True)
    assert lines == [f"Would start the workflow deploy.yaml of {hub.host}/acme/infra on main"]
    assert hub.asked == []


def test_a_workflow_is_started_with_its_inputs(hub: GitHub, actions: Any, run: Runner) -> None:
    wanted = {"repoUrl": f"{hub.host}?owner=acme&repo=infra", "workflowId": "deploy.yaml", "branchOrTagName": "main"}
    output, _ = run(actions.dispatch, wanted | {"workflowInputs": {"stage": "test"}})
    assert output == {}
    assert hub.kept["deploy.yaml"] == {"ref": "main", "inputs": {"stage": "test"}}

    output, _ = run(actions.dispatch, wanted | {"returnWorkflowRunDetails": True})
    assert output["workflowRunId"] == 7
