"""publish:gitlab:merge-request, on a GitLab with a project in it."""

from __future__ import annotations

import pytest
from acting import Runner, write
from forge_actions import Actions
from gitlabs import GitLab
from repositories import MakeRepository

from portal.errors import ConflictError, InputError, NotFoundError, PortalError

PATH = "science/datasets"


@pytest.fixture
def project(gitlab: GitLab, repo: MakeRepository) -> GitLab:
    """A GitLab with the project `science/datasets`, which has two files."""
    gitlab.add(PATH)
    filled = repo({"sets/old.yaml": "old\n", "README.md": "# Sets\n"})
    filled.git("push", "--quiet", str(gitlab.root / f"{PATH}.git"), "main")
    return gitlab


def given(project: GitLab, **more: object) -> dict[str, object]:
    return {
        "repoUrl": f"{project.host}?owner=science&repo=datasets",
        "title": "Add a set",
        "branchName": "add-set",
        "sourcePath": "rendered",
        "targetPath": "sets",
        **more,
    }


def test_files_are_proposed_with_reviewers_labels_and_assignee(project: GitLab, run: Runner) -> None:
    write(run.work, {"rendered/new.yaml": "new\n", "rendered/old.yaml": "changed\n", "rendered/x.log": "", "other": ""})
    write(run.work, {"rendered/.gitignore": "*.log\n"})
    wanted = given(
        project,
        description="A set",
        removeSourceBranch=True,
        assignee="bob",
        reviewers=["eve", "nobody"],
        labels=["data", "new"],
        autoMerge=True,
        assignReviewersFromApprovalRules=True,
    )

    output, lines = run(Actions(project).propose, wanted)

    assert output == {
        "projectid": PATH,
        "projectPath": PATH,
        "targetBranchName": "main",
        "mergeRequestUrl": f"{project.url}/{PATH}/-/merge_requests/1",
    }
    assert project.git(PATH, "diff", "--name-status", "main", "add-set").split() == [
        *("A", "sets/.gitignore", "A", "sets/new.yaml", "M", "sets/old.yaml")
    ]
    assert project.git(PATH, "show", "-s", "--format=%s", "add-set") == "Add a set"
    (made,) = project.requests
    assert (made["title"], made["description"], made["labels"]) == ("Add a set", "A set", "data,new")
    assert (made["assignee_id"], made["reviewer_ids"], made["remove_source_branch"]) == (2, [3, 2], True)
    assert project.kept[PATH]["merged"]
    assert "GitLab has no user nobody: the merge request goes without" in lines


def test_done_again_for_the_same_task_there_is_one_commit_and_one_request(project: GitLab, run: Runner) -> None:
    write(run.work, {"rendered/new.yaml": "new\n"})
    action, wanted = Actions(project).propose, given(project)
    project.before = lambda asked: (503, {}) if str(asked).startswith("POST") else None
    with pytest.raises(PortalError):
        run(action, wanted)  # killed between push and request, as it were
    pushed = project.tip(PATH, "add-set")
    project.before = lambda _asked: None

    output, _ = run(action, wanted)

    assert run(action, wanted)[0] == output
    assert (project.tip(PATH, "add-set"), len(project.requests)) == (pushed, 1)
    with pytest.raises(ConflictError, match='already has a branch "add-set"'):
        run(action, wanted, task_id="another")
    assert project.tip(PATH, "add-set") == pushed


@pytest.mark.parametrize(
    ("action", "files", "changed"),
    [
        ("create", {"rendered/new.yaml": "new\n"}, "A sets/new.yaml"),
        ("update", {"rendered/old.yaml": "new\n"}, "M sets/old.yaml"),
        ("delete", {"rendered/old.yaml": ""}, "D sets/old.yaml"),
        ("skip", {}, ""),
    ],
)
def test_an_action_says_what_is_done_with_the_files(
    action: str, files: dict[str, str], changed: str, project: GitLab, run: Runner
) -> None:
    write(run.work, files)

    run(Actions(project).propose, given(project, commitAction=action))

    assert project.git(PATH, "diff", "--name-status", "main", "add-set").split() == changed.split()
    assert len(project.requests) == 1


@pytest.mark.parametrize(
    ("action", "file", "fault"),
    [("create", "old", "are there already"), ("update", "new", "are not there"), ("delete", "new", "are not there")],
)
def test_files_that_are_not_as_an_action_expects_them_are_refused(
    action: str, file: str, fault: str, project: GitLab, run: Runner
) -> None:
    write(run.work, {f"rendered/{file}.yaml": "x\n"})

    with pytest.raises(InputError, match=f"sets/{file}.yaml, which {fault}"):
        run(Actions(project).propose, given(project, commitAction=action))

    assert project.branches(PATH) == ["main"]


def test_what_cannot_be_proposed_is_refused(project: GitLab, run: Runner) -> None:
    write(run.work, {"rendered/new.yaml": "new\n"})
    propose = Actions(project).propose
    with pytest.raises(NotFoundError, match="has no project science/other"):
        run(propose, given(project, repoUrl=f"{project.host}?owner=science&repo=other"))
    with pytest.raises(InputError, match="which is the branch to merge into"):
        run(propose, given(project, branchName="main"))
    with pytest.raises(PortalError, match=r"must not hold \.\."):
        run(propose, given(project, targetPath="../x"))
    output, _ = run(Actions(project, None).propose, given(project, targetBranchName="main"), is_dry_run=True)
    assert output["mergeRequestUrl"].endswith("/merge_requests/43")
    assert (project.wrote(), project.branches(PATH)) == ([], ["main"])


def test_a_project_may_be_named_by_its_path(project: GitLab, run: Runner) -> None:
    write(run.work, {"rendered/new.yaml": "new\n"})
    output, _ = run(Actions(project).propose, given(project, repoUrl=f"{project.host}?project=science%2Fdatasets"))
    assert (output["projectid"], project.branches(PATH)) == (PATH, ["add-set", "main"])
