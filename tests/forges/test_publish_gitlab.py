"""publish:gitlab, on a GitLab whose API knows what python-gitlab declares, with real repositories."""

from __future__ import annotations

import pytest
from acting import MARKS, Registering, Runner, tree, write
from forge_actions import Actions
from forge_servers import Asked
from gitlabs import GitLab

from portal.errors import ActionError, InputError, PortalError
from portal.model.ref import EntityRef
from portal.model.repository_access import Grant, RepositoryRight

TEAM = EntityRef("group:default/team")
CHECKS = EntityRef("group:default/checks")
BOB = EntityRef("user:default/bob")
GRANTS = [
    Grant(TEAM, RepositoryRight.MAINTAIN, {"gitlab": "ops"}),
    Grant(CHECKS, RepositoryRight.READ, {"gitlab": "science/data"}),
    Grant(BOB, RepositoryRight.WRITE, {"gitlab": "@bob"}),
    Grant(EntityRef("user:default/nobody"), RepositoryRight.WRITE, {"github": "nobody"}),
]
PATH = "science/sensors"


def given(gitlab: GitLab, **more: object) -> dict[str, object]:
    return {"repoUrl": f"{gitlab.host}?owner=science&repo=sensors", "defaultBranch": "main", **more}


def test_a_project_is_made_with_all_that_was_asked_for(gitlab: GitLab, run: Runner) -> None:
    wanted = given(
        gitlab,
        repoVisibility="internal",
        topics=["dataset"],
        settings={"description": "Readings", "merge_method": "ff"},
        branches=[{"name": "next", "create": True, "protect": True}, {"name": "main", "protect": True}],
        projectVariables=[
            {"key": "REGION", "value": "north"},
            {"key": "REGION", "value": "s", "environment_scope": "x"},
        ],
        gitCommitMessage="Begin",
        gitAuthorName="Ann",
        ownerUsername="eve",
    )
    output, _ = run(Actions(gitlab).publish, wanted, catalog=Registering(grants=GRANTS), owner=TEAM)

    made = gitlab.repositories[PATH]
    assert output == {
        "remoteUrl": f"{gitlab.url}/{PATH}",
        "repoContentsUrl": f"{gitlab.url}/{PATH}/-/blob/main",
        "projectId": made["id"],
        "created": True,
        "commitHash": gitlab.tip(PATH, "main"),
    }
    assert (made["visibility"], made["topics"], made["merge_method"]) == ("internal", ["dataset"], "ff")
    assert (made["description"], made["default_branch"]) == ("Readings", "main")
    assert gitlab.branches(PATH) == ["main", "next"]
    assert gitlab.git(PATH, "show", "-s", "--format=%an %s", "main") == "Ann Begin"
    assert gitlab.git(PATH, "show", "main:README.md") == "# Sensors"
    kept = gitlab.kept[PATH]
    assert gitlab.git_users == {"oauth2"}  # GitLab takes tokens of OAuth from this one alone
    assert kept["protected"] == ["next", "main"]
    assert kept["variables"] == {("REGION", "*"): "north", ("REGION", "x"): "s"}
    # The owner's group and the stewards, by the policy of the layer; the number of a group, then of users.
    assert kept["shared"] == {12: 40, 11: 20}
    assert kept["members"] == {2: 30, 3: 50}
    assert gitlab.git(PATH, "show", "main:CODEOWNERS") == "* @ops"


def test_the_owners_own_namespace_needs_no_grant_and_a_template_s_codeowners_stays(gitlab: GitLab, run: Runner) -> None:
    write(run.work, {".gitlab/CODEOWNERS": "* @me\n"})
    grants = [Grant(TEAM, RepositoryRight.MAINTAIN, {"gitlab": "science"})]

    _, lines = run(Actions(gitlab).publish, given(gitlab), catalog=Registering(grants=grants), owner=TEAM)

    assert "shared" not in gitlab.kept.get(PATH, {})
    assert any("have access anyway" in line for line in lines)
    assert "CODEOWNERS" not in gitlab.git(PATH, "ls-tree", "--name-only", "main").splitlines()


def test_codeowners_names_members_of_a_group_without_an_account_and_nothing_else(gitlab: GitLab, run: Runner) -> None:
    accounts = [("bob", "WRITE", "bob"), ("eve", "READ", "eve"), ("mal", "WRITE", "x\n/secret @mal")]
    grants = [Grant(TEAM, RepositoryRight.MAINTAIN)]
    grants += [
        Grant(EntityRef(f"user:default/{name}"), RepositoryRight[right], {"gitlab": account})
        for name, right, account in accounts
    ]

    run(Actions(gitlab, None).publish, given(gitlab), is_dry_run=True, catalog=Registering(grants=grants), owner=TEAM)

    assert tree(run.work)["CODEOWNERS"] == "* @bob\n"


def test_killed_before_the_push_the_task_goes_on_with_its_own_project(gitlab: GitLab, run: Runner) -> None:
    actions, wanted = Actions(gitlab), given(gitlab, settings={"description": "Readings"})
    gitlab.refuses_pushes = True
    with pytest.raises(PortalError):
        run(actions.publish, wanted)
    assert gitlab.repositories[PATH]["description"] == MARKS.mark("task", f"{gitlab.host}/{PATH}")
    with pytest.raises(ActionError, match="this task has not made it"):
        run(actions.publish, wanted, task_id="another")
    gitlab.refuses_pushes = False

    output, _ = run(actions.publish, wanted)

    assert output["commitHash"] == gitlab.tip(PATH, "main")
    assert gitlab.repositories[PATH]["description"] == "Readings"
    assert gitlab.wrote().count("POST /projects") == 1
    # Killed after all was done, before anybody wrote down that it was.
    assert run(actions.publish, wanted)[0] == output
    assert gitlab.git(PATH, "rev-list", "--count", "main") == "1"


def test_a_project_of_somebody_else_is_not_touched(gitlab: GitLab, run: Runner) -> None:
    gitlab.add(PATH, description="mine")

    with pytest.raises(ActionError, match="this task has not made it; nothing was changed"):
        run(Actions(gitlab).publish, given(gitlab), catalog=Registering(grants=GRANTS), owner=TEAM)

    assert (gitlab.wrote(), gitlab.branches(PATH)) == ([], [])
    output, _ = run(Actions(gitlab).publish, given(gitlab, skipExisting=True))
    assert (output["created"], "commitHash" in output, gitlab.wrote()) == (False, False, [])


def test_an_answer_that_is_lost_makes_no_second_project(gitlab: GitLab, run: Runner) -> None:
    gitlab.before = lambda asked: (gitlab.answer(asked), (502, {}))[1] if gitlab.wrote() == [str(asked)] else None

    output, _ = run(Actions(gitlab).publish, given(gitlab))

    assert gitlab.wrote()[:2] == ["POST /projects"] * 2
    assert output["commitHash"] == gitlab.tip(PATH, "main")


def test_the_former_path_of_a_project_is_free(gitlab: GitLab, run: Runner) -> None:
    gitlab.add("science/moved", description="mine")
    gitlab.moved[PATH] = "science/moved"

    def arrived(asked: Asked) -> None:
        if str(asked) == "POST /projects":
            del gitlab.moved[PATH]

    gitlab.before = arrived

    run(Actions(gitlab).publish, given(gitlab))

    assert (gitlab.branches(PATH), gitlab.repositories["science/moved"]["description"]) == (["main"], "mine")


def test_nobody_loses_the_rights_that_they_have(gitlab: GitLab, run: Runner) -> None:
    gitlab.inherited[3] = "Owner"
    people = [("ann", "READ"), ("bob", "WRITE"), ("eve", "WRITE"), ("bob", "MAINTAIN"), ("bob", "READ")]
    grants = [
        Grant(EntityRef(f"user:default/{name}"), RepositoryRight[right], {"gitlab": name}) for name, right in people
    ]

    run(Actions(gitlab).publish, given(gitlab, ownerUsername="ann"), catalog=Registering(grants=grants), owner=TEAM)

    assert gitlab.kept[PATH]["members"] == {1: 50, 2: 40}


def test_nothing_is_made_for_a_group_or_namespace_that_gitlab_does_not_know(gitlab: GitLab, run: Runner) -> None:
    grants = [Grant(TEAM, RepositoryRight.MAINTAIN, {"gitlab": "elsewhere"})]
    with pytest.raises(ActionError, match="GitLab has no group elsewhere"):
        run(Actions(gitlab).publish, given(gitlab), catalog=Registering(grants=grants), owner=TEAM)
    with pytest.raises(InputError, match="The namespace nowhere is not found"):
        run(Actions(gitlab).publish, given(gitlab, repoUrl=f"{gitlab.host}?owner=nowhere&repo=sensors"))
    assert gitlab.wrote() == []


def test_a_dry_run_asks_nothing_and_tells_what_would_be(gitlab: GitLab, run: Runner) -> None:
    catalog = Registering(grants=GRANTS)
    output, lines = run(Actions(gitlab, None).publish, given(gitlab), is_dry_run=True, catalog=catalog, owner=TEAM)

    assert gitlab.asked == []
    assert output["repoContentsUrl"] == f"{gitlab.url}/{PATH}/-/blob/main"
    assert any(line.startswith("Would make") for line in lines)
    assert tree(run.work)["CODEOWNERS"] == "* @ops\n"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"repoUrl": "{host}?owner=science&repo=..%2Fother"}, "expected a name of letters"),
        ({"repoUrl": "{host}?owner=science%2F..&repo=x"}, "expected a name of letters"),
        ({"repoUrl": "{host}?owner=science&repo=x.git"}, "expected a name of letters"),
        ({"repoUrl": "github.com?owner=science&repo=x"}, "of the type gitlab"),
        ({"settings": {"path": "../x"}}, "expected a name of letters"),
        ({"defaultBranch": "-x"}, "expected a branch name"),
        ({"sourcePath": "../.."}, "not allowed to refer to a directory outside"),
        ({"sourcePath": "empty"}, "holds no files"),
    ],
)
def test_what_cannot_be_published_is_refused_before_anything_is_asked(
    more: dict[str, str], message: str, gitlab: GitLab, run: Runner
) -> None:
    if "repoUrl" in more:
        more = {"repoUrl": more["repoUrl"].format(host=gitlab.host)}
    with pytest.raises(PortalError, match=message):
        run(Actions(gitlab).publish, given(gitlab, **more))
    assert gitlab.asked == []


def test_a_project_can_stay_empty_and_belong_to_whoever_gave_the_token(gitlab: GitLab, run: Runner) -> None:
    gitlab.logins["of-bob-0123456789"] = "bob"
    wanted = given(gitlab, sourcePath=False, setUserAsOwner=True, token="of-bob-0123456789", settings={"path": "s2"})

    output, _ = run(Actions(gitlab).publish, wanted)

    assert "commitHash" not in output
    assert gitlab.branches("science/s2") == []
    assert gitlab.repositories["science/s2"]["name"] == "sensors"
    assert gitlab.kept["science/s2"]["members"] == {2: 50}
    adding = next(asked for asked in gitlab.asked if asked.path.endswith("/members"))
    assert gitlab.logins[adding.token] == "ann"


def test_a_token_that_is_not_accepted_is_in_no_message(gitlab: GitLab, run: Runner) -> None:
    with pytest.raises(ActionError) as caught:
        run(Actions(gitlab).publish, given(gitlab, token="not-accepted-0123456789"))
    assert "does not accept the token" in caught.value.message
    assert "not-accepted" not in caught.value.message
