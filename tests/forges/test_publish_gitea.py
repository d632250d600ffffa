"""publish:gitea and publish:gitea:pull-request, on a Gitea that is asked as its OpenAPI description has it."""

from __future__ import annotations

import re

import pytest
from acting import MARKS, Registering, Runner, write
from forge_actions import Actions
from forge_servers import TOKEN
from giteas import Gitea
from repositories import MakeRepository

from portal.errors import ActionError, ConflictError, InputError, NotFoundError, PortalError
from portal.model.ref import EntityRef
from portal.model.repository_access import Grant, RepositoryRight

TEAM = EntityRef("group:default/team")
PATH = "science/sensors"


def given(gitea: Gitea, **more: object) -> dict[str, object]:
    return {"repoUrl": f"{gitea.host}?owner=science&repo=sensors", "description": "Readings", **more}


def grant(name: str, right: RepositoryRight, account: str) -> Grant:
    return Grant(EntityRef(name), right, {"gitea": account})


def test_a_repository_is_made_with_all_that_was_asked_for(gitea: Gitea, run: Runner) -> None:
    grants = [
        grant("group:default/team", RepositoryRight.MAINTAIN, "science/data"),
        grant("group:default/checks", RepositoryRight.READ, "readers"),
        grant("group:default/bosses", RepositoryRight.WRITE, "science/bosses"),
        grant("group:default/owners", RepositoryRight.ADMIN, "science/Owners"),
        grant("group:default/far", RepositoryRight.READ, "elsewhere/team"),
        grant("user:default/bob", RepositoryRight.TRIAGE, "bob"),
    ]
    wanted = given(
        gitea,
        repoVisibility="private",
        topics=["Dataset"],
        protectDefaultBranch=True,
        requireCodeOwnerReviews=True,
        requiredStatusCheckContexts=["test"],
        gitAuthorName="Ann",
    )

    output, lines = run(Actions(gitea).publish, wanted, catalog=Registering(grants=grants), owner=TEAM)

    assert output == {
        "remoteUrl": f"{gitea.url}/{PATH}.git",
        "repoContentsUrl": f"{gitea.url}/{PATH}/src/branch/main/",
        "commitHash": gitea.tip(PATH, "main"),
    }
    made = gitea.repositories[PATH]
    assert (made["description"], made["private"]) == ("Readings", True)
    kept = gitea.kept
    assert (kept["topics"], kept["teams"], kept["collaborators"]) == (["dataset"], ["readers", "data"], {"bob": "read"})
    rule = kept["protections"]["main"]
    assert (rule["enable_push"], rule["required_approvals"], rule["status_check_contexts"]) == (False, 1, ["test"])
    assert rule["block_on_official_review_requests"]
    # Nobody gets more than they are due, and the log says who gets less.
    for told in ("more than group:default/bosses is due", "Owners has access anyway", "adds teams of science alone"):
        assert any(told in line for line in lines), told
    message = gitea.git(PATH, "show", "-s", "--format=%an %B", "main")
    assert re.match(r"Ann initial commit\n\nChange-Id: I[0-9a-f]{40}\n\nPortal-Task: task", message)
    assert gitea.git(PATH, "show", "main:CODEOWNERS") == ".* @science/data"


def test_killed_before_the_push_the_task_goes_on_with_its_own_repository(gitea: Gitea, run: Runner) -> None:
    publish, wanted = Actions(gitea).publish, given(gitea, topics=["dataset"], protectDefaultBranch=True)
    grants = [grant("group:default/team", RepositoryRight.WRITE, "data")]
    options = {"catalog": Registering(grants=grants), "owner": TEAM}
    gitea.refuses_pushes = True
    with pytest.raises(PortalError):
        run(publish, wanted, **options)
    assert gitea.repositories[PATH]["description"] == MARKS.mark("task", f"{gitea.host}/{PATH}")
    with pytest.raises(ActionError, match="this task has not made it"):
        run(publish, wanted, task_id="another", **options)
    gitea.refuses_pushes = False

    output, _ = run(publish, wanted, **options)

    assert gitea.wrote().count("POST /orgs/science/repos") == 1
    # Killed after all was done, before anybody wrote down that it was.
    assert run(publish, wanted, **options)[0] == output
    assert (gitea.repositories[PATH]["description"], gitea.git(PATH, "rev-list", "--count", "main")) == (
        "Readings",
        "1",
    )


def test_an_answer_that_is_lost_makes_no_second_repository(gitea: Gitea, run: Runner) -> None:
    gitea.before = lambda asked: (gitea.answer(asked), (502, {}))[1] if gitea.wrote() == [str(asked)] else None

    output, _ = run(Actions(gitea).publish, given(gitea))

    assert gitea.wrote()[:2] == ["POST /orgs/science/repos"] * 2
    assert output["commitHash"] == gitea.tip(PATH, "main")


def test_a_repository_of_somebody_else_is_not_touched(gitea: Gitea, run: Runner) -> None:
    gitea.add(PATH)

    with pytest.raises(ActionError, match="this task has not made it; nothing was changed"):
        run(Actions(gitea).publish, given(gitea, topics=["x"]))

    assert (gitea.wrote(), gitea.branches(PATH)) == ([], [])


def test_a_person_publishes_below_their_own_name_alone(gitea: Gitea, run: Runner) -> None:
    # By name and password, as Backstage's settings have them.
    publish = Actions(gitea, username="ann").publish
    run(publish, given(gitea, repoUrl=f"{gitea.host}?owner=ann&repo=notes"))
    assert gitea.branches("ann/notes") == ["main"]
    with pytest.raises(InputError, match="Organization bob do not exist"):
        run(publish, given(gitea, repoUrl=f"{gitea.host}?owner=bob&repo=notes"))


def test_a_team_that_administers_may_maintain(gitea: Gitea, run: Runner) -> None:
    grants = [
        grant("group:default/team", RepositoryRight.MAINTAIN, "bosses"),
        grant("user:default/bob", RepositoryRight.WRITE, "bob"),
        grant("user:default/bob", RepositoryRight.READ, "bob"),
    ]
    run(Actions(gitea).publish, given(gitea), catalog=Registering(grants=grants), owner=TEAM)
    assert (gitea.kept["teams"], gitea.kept["collaborators"]) == (["bosses"], {"bob": "write"})
    assert gitea.git(PATH, "show", "main:CODEOWNERS") == ".* @science/bosses"  # "@bosses" would be a user


def test_nothing_is_made_for_a_team_that_gitea_does_not_know(gitea: Gitea, run: Runner) -> None:
    cases = [
        ("group:default/team", "science/other", "has no team other"),
        ("user:default/ann", "nobody", "has no user nobody"),
        ("group:default/team", "science/bosses", "has admin access to its repositories, more than"),
    ]
    for name, account, fault in cases:
        catalog = Registering(grants=[grant(name, RepositoryRight.WRITE, account)])
        with pytest.raises(ActionError, match=f"{fault}.*Nothing was made"):
            run(Actions(gitea).publish, given(gitea), catalog=catalog, owner=TEAM)
    assert gitea.wrote() == []


def test_a_dry_run_asks_nothing(gitea: Gitea, run: Runner) -> None:
    output, _ = run(Actions(gitea, None).publish, given(gitea), is_dry_run=True)
    assert (gitea.asked, output["repoContentsUrl"]) == ([], f"{gitea.url}/{PATH}/src/branch/main/")
    with pytest.raises(InputError, match="No token available"):
        run(Actions(gitea, None).publish, given(gitea))


class TestPullRequest:
    @pytest.fixture
    def filled(self, gitea: Gitea, repo: MakeRepository) -> Gitea:
        """A Gitea with a repository that has two files."""
        gitea.add(PATH)
        made = repo({"sets/old.yaml": "old\n", "README.md": "# Sets\n"})
        made.git("push", "--quiet", str(gitea.root / f"{PATH}.git"), "main")
        return gitea

    def given(self, gitea: Gitea, **more: object) -> dict[str, object]:
        return {
            "repoUrl": f"{gitea.host}?owner=science&repo=sensors",
            "branchName": "add-set",
            "title": "Add a set",
            "description": "A set",
            "sourcePath": "rendered",
            "targetPath": "sets",
            **more,
        }

    def test_files_are_proposed_with_reviewers_and_assignees(self, filled: Gitea, run: Runner) -> None:
        write(run.work, {"rendered/new.yaml": "new\n"})
        wanted = self.given(
            filled,
            draft=True,
            filesToDelete=["sets/old.yaml"],
            commitMessage="Begin a set",
            reviewers=["user:default/bob"],
            teamReviewers=["science/data"],
            assignees=["eve"],
        )

        output, _ = run(Actions(filled).propose, wanted)

        url = f"{filled.url}/{PATH}/pulls/1"
        assert output == {"targetBranchName": "main", "remoteUrl": url, "pullRequestNumber": 1}
        changed = filled.git(PATH, "diff", "--no-renames", "--name-status", "main", "add-set").split()
        assert changed == ["A", "sets/new.yaml", "D", "sets/old.yaml"]
        assert filled.git(PATH, "show", "-s", "--format=%s", "add-set") == "Begin a set"
        (made,) = filled.requests
        assert (made["title"], made["body"], made["assignees"]) == ("WIP: Add a set", "A set", ["eve"])
        assert filled.kept["reviewers"] == {"reviewers": ["bob"], "team_reviewers": ["data"]}

    def test_done_again_for_the_same_task_there_is_one_commit_and_one_request(self, filled: Gitea, run: Runner) -> None:
        write(run.work, {"rendered/new.yaml": "new\n"})
        propose, wanted = Actions(filled).propose, self.given(filled)
        output, _ = run(propose, wanted)
        pushed = filled.tip(PATH, "add-set")

        assert run(propose, wanted)[0] == output
        # As if Gitea had not found it, which the request to make it once more tells.
        filled.before = lambda asked: (404, {}) if asked.path.endswith("/pulls/main/add-set") else None
        assert run(propose, wanted)[0] == output

        assert (filled.tip(PATH, "add-set"), len(filled.requests)) == (pushed, 1)
        with pytest.raises(ConflictError, match="not this task's"):
            run(propose, wanted, task_id="another")

    def test_what_cannot_be_proposed_is_refused_and_no_change_is_none(self, filled: Gitea, run: Runner) -> None:
        write(run.work, {"rendered/old.yaml": "old\n"})
        propose = Actions(filled).propose
        with pytest.raises(NotFoundError, match="is not there"):
            run(propose, self.given(filled, repoUrl=f"{filled.host}?owner=science&repo=other"))
        with pytest.raises(InputError, match="which is the branch to merge into"):
            run(propose, self.given(filled, branchName="main"))
        assert run(propose, self.given(filled, createWhenEmpty=False))[0] == {}
        output, _ = run(propose, self.given(filled), is_dry_run=True)
        assert output["pullRequestNumber"] == 43
        assert (filled.wrote(), filled.branches(PATH)) == ([], ["main"])


def test_no_token_is_told(gitea: Gitea, run: Runner) -> None:
    gitea.before = lambda asked: (422, {"message": f"wrong: {TOKEN}"}) if asked.method == "POST" else None
    with pytest.raises(ActionError) as caught:
        run(Actions(gitea).publish, given(gitea))
    assert "wrong" in caught.value.message
    assert TOKEN not in caught.value.message
