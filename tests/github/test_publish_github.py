"""publish:github, against GitHub's published description and real git."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from acting import Registering, Runner, write
from githubs import TOKEN, GitHub

from portal.errors import ActionError, InputError, SourceError
from portal.model.ref import EntityRef
from portal.model.repository_access import Grant, RepositoryRight

TEAM = EntityRef("group:default/data")
FILES = {"README.md": "# sensors\n", "catalog-info.yaml": "kind: Component\n"}


@pytest.fixture(autouse=True)
def _files(run: Runner) -> None:
    write(run.work, FILES)


def given(hub: GitHub, **more: Any) -> dict[str, Any]:
    return {"repoUrl": f"{hub.host}?owner=acme&repo=sensors", **more}


class KilledError(BaseException):
    """Stands for the end of the process."""


def killed_at(line: str):
    """Return a log that ends the process when a line is written."""

    def log(message: str) -> None:
        if message.startswith(line):
            raise KilledError

    return log


def test_the_workspace_becomes_a_repository_with_all_that_was_asked(hub: GitHub, actions: Any, run: Runner) -> None:
    output, lines = run(
        actions.publish,
        given(
            hub,
            description="Readings",
            homepage="https://example.com",
            repoVisibility="public",
            topics=["Machine-Learning", "sensors"],
            collaborators=[
                {"user": "user:default/bob", "access": "push"},
                {"team": "mlops", "access": "maintain"},
                {"user": "nobody", "access": "pull"},
            ],
            access="acme/data",
            repoVariables={"STAGE": "test", "COUNT": 3},
            secrets={"KEY": "the-secret-of-the-repository"},
            oidcCustomization={"useDefault": False, "includeClaimKeys": ["repo", "context"]},
            customProperties={"tier": "gold"},
            subscribe=True,
            requiredStatusCheckContexts=["test"],
            requiredApprovingReviewCount=2,
            requireCodeOwnerReviews=True,
            requireLastPushApproval=True,
            dismissStaleReviews=True,
            requiredConversationResolution=True,
            requiredLinearHistory=True,
            requiredCommitSigning=True,
            bypassPullRequestAllowances={"teams": ["mlops"]},
            restrictions={"teams": ["mlops"]},
            allowAutoMerge=True,
            hasWiki=False,
            gitCommitMessage="begin",
            gitAuthorName="Ann",
            gitAuthorEmail="ann@example.com",
        ),
    )

    page = f"http://{hub.host}/acme/sensors"
    commit = hub.git("acme/sensors", "rev-parse", "main")
    assert output == {"remoteUrl": f"{page}.git", "repoContentsUrl": f"{page}/blob/main", "commitHash": commit}
    assert hub.git("acme/sensors", "log", "-1", "--format=%an <%ae> %s") == "Ann <ann@example.com> begin"
    assert hub.git("acme/sensors", "show", "main:README.md") == "# sensors"
    made = hub.repositories["acme/sensors"]
    assert (made["description"], made["homepage"]) == ("Readings", "https://example.com")
    assert hub.kept["topics"] == {"names": ["machine-learning", "sensors"]}
    assert hub.kept["bob"] == {"permission": "push"}
    assert hub.kept["mlops"] == {"permission": "maintain"}
    assert hub.kept["data"] == {"permission": "admin"}
    assert (hub.kept["STAGE"], hub.kept["COUNT"]) == ("test", "3")
    assert hub.secret("KEY") == "the-secret-of-the-repository"
    protection = hub.kept["protection"]
    assert protection["required_status_checks"] == {"strict": True, "contexts": ["test"]}
    assert protection["required_pull_request_reviews"]["require_code_owner_reviews"] is True
    assert "required_signatures" in hub.kept
    assert any(line.startswith("Skipping pull access for nobody") for line in lines)
    assert not any(TOKEN in line or "the-secret" in line for line in lines)


@pytest.mark.slow
def test_few_inputs_are_enough(hub: GitHub, actions: Any, run: Runner) -> None:
    run(actions.publish, given(hub))

    assert hub.branches("acme/sensors") == ["main"]
    asked = next(asked for asked in hub.asked if asked.method == "POST")
    assert (asked.path, asked.body["private"], asked.body["visibility"]) == ("/orgs/acme/repos", True, "private")
    assert hub.repositories["acme/sensors"]["description"] == ""


@pytest.mark.slow
def test_a_person_publishes_at_their_own_account_alone(hub: GitHub, actions: Any, run: Runner) -> None:
    output, _ = run(actions.publish, given(hub, repoUrl=f"{hub.host}?owner=ann&repo=mine", access="ann"))
    assert output["remoteUrl"].endswith("/ann/mine.git")
    assert not hub.lines("PUT")[:-1], "nobody else gets anything but the branch its protection"

    with pytest.raises(ActionError, match="the token is ann's"):
        run(actions.publish, given(hub, repoUrl=f"{hub.host}?owner=bob&repo=theirs"))
    assert "bob/theirs" not in hub.repositories


def test_the_owner_and_the_stewards_get_what_the_layer_says(hub: GitHub, actions: Any, run: Runner) -> None:
    grants = [
        Grant(TEAM, RepositoryRight.MAINTAIN, {"github": "acme/data"}),
        Grant(EntityRef("group:default/mlops"), RepositoryRight.TRIAGE, {"github": "acme/mlops"}),
        Grant(EntityRef("user:default/bob"), RepositoryRight.WRITE, {"github": "bob"}),
        Grant(EntityRef("group:default/elsewhere"), RepositoryRight.WRITE, {"github": "other/elsewhere"}),
        Grant(EntityRef("group:default/unknown"), RepositoryRight.READ, {"gitlab": "x/y"}),
    ]
    _, lines = run(
        actions.publish,
        given(
            hub,
            requireCodeOwnerReviews=True,
            collaborators=[{"team": "data", "access": "pull"}, {"user": "bob", "access": "admin"}],
        ),
        catalog=Registering(grants=grants),
        owner=TEAM,
    )

    assert hub.kept["data"] == {"permission": "maintain"}, "no template takes from the owner what is due"
    assert hub.kept["mlops"] == {"permission": "triage"}
    assert hub.kept["bob"] == {"permission": "admin"}
    assert hub.git("acme/sensors", "show", "main:.github/CODEOWNERS") == "* @acme/data"
    assert any("group:default/elsewhere is the team other/elsewhere" in line for line in lines)
    assert any("group:default/unknown has no account" in line for line in lines)


@pytest.mark.slow
def test_a_code_owners_file_of_the_template_stays(hub: GitHub, actions: Any, run: Runner) -> None:
    write(run.work, {"CODEOWNERS": "* @acme/mlops\n"})
    grants = [Grant(TEAM, RepositoryRight.MAINTAIN, {"github": "acme/data"})]
    run(actions.publish, given(hub, requireCodeOwnerReviews=True), catalog=Registering(grants=grants), owner=TEAM)

    files = hub.git("acme/sensors", "ls-tree", "-r", "--name-only", "main").splitlines()
    assert files == ["CODEOWNERS", "README.md", "catalog-info.yaml"]


@pytest.mark.slow
def test_an_owner_whose_team_is_not_there_stops_all(hub: GitHub, actions: Any, run: Runner) -> None:
    grants = [Grant(TEAM, RepositoryRight.MAINTAIN, {"github": "acme/gone"})]
    with pytest.raises(ActionError, match="has no team gone"):
        run(actions.publish, given(hub), catalog=Registering(grants=grants), owner=TEAM)

    assert not hub.repositories


@pytest.mark.parametrize(
    "line", ["Made ", *(pytest.param(line, marks=pytest.mark.slow) for line in ("Pushing to", "Pushed", "Protected"))]
)
def test_killed_anywhere_the_next_run_goes_on_with_its_own_repository(
    line: str, hub: GitHub, actions: Any, run: Runner
) -> None:
    with pytest.raises(KilledError):
        run(actions.publish, given(hub, description="Readings"), log=killed_at(line))
    output, _ = run(actions.publish, given(hub, description="Readings"))

    assert hub.lines("POST") == ["POST /orgs/acme/repos"]
    assert hub.git("acme/sensors", "rev-list", "--count", "main") == "1"
    assert output["commitHash"] == hub.git("acme/sensors", "rev-parse", "main")
    assert hub.repositories["acme/sensors"]["description"] == "Readings"
    assert "protection" in hub.kept


@pytest.mark.slow
def test_a_run_that_was_done_is_done_again_without_a_change(hub: GitHub, actions: Any, run: Runner) -> None:
    first, _ = run(actions.publish, given(hub))
    again, _ = run(actions.publish, given(hub))

    assert again == first
    assert hub.lines("POST") == ["POST /orgs/acme/repos"]


@pytest.mark.parametrize("content", ["marked", *(pytest.param(case, marks=pytest.mark.slow) for case in ("", "empty"))])
def test_nobody_elses_repository_is_touched(content: str, hub: GitHub, actions: Any, run: Runner) -> None:
    run(actions.publish, given(hub), task_id="another")
    before = hub.git("acme/sensors", "rev-parse", "main")
    if content:
        # Its mark is copied by somebody who has seen it while another repository was made.
        hub.git("acme/sensors", "update-ref", "-d", "refs/heads/main")
        marked = next(asked.body["description"] for asked in hub.asked if asked.path == "/orgs/acme/repos")
        hub.repositories["acme/sensors"]["description"] = marked if content == "marked" else ""
    asked = len(hub.asked)

    with pytest.raises(ActionError, match="this task has not made it; nothing was changed"):
        run(actions.publish, given(hub, topics=["mine"]), task_id="task")

    assert [entry.method for entry in hub.asked[asked:]] == ["GET"]
    assert hub.branches("acme/sensors") == ([] if content else ["main"])
    if not content:
        assert hub.git("acme/sensors", "rev-parse", "main") == before


@pytest.mark.slow
def test_two_processes_that_run_the_same_step_make_one_repository(
    hub: GitHub, actions: Any, run: Runner, tmp_path: Path
) -> None:
    both = Barrier(2)

    def before(asked: Any) -> None:
        # Neither makes it before the other has seen that it is not there.
        if asked.path.startswith("/users/"):
            both.wait(timeout=60)

    hub.before = before
    (tmp_path / "other").mkdir()
    other = Runner(tmp_path / "other")
    write(other.work, FILES)
    with ThreadPoolExecutor() as pool:
        first, second = [
            done.result()[0] for done in [pool.submit(one, actions.publish, given(hub)) for one in (run, other)]
        ]

    assert first == second
    assert hub.lines("POST") == ["POST /orgs/acme/repos"] * 2
    assert hub.git("acme/sensors", "rev-list", "--count", "main") == "1"


@pytest.mark.slow
def test_somebody_who_is_faster_keeps_what_they_have_made(hub: GitHub, actions: Any, run: Runner) -> None:
    def before(asked: Any) -> None:
        if asked.method == "POST":
            hub.before = lambda _asked: None
            hub.add("acme/sensors", "theirs")

    hub.before = before
    with pytest.raises(ActionError, match="name already exists"):
        run(actions.publish, given(hub))

    assert hub.branches("acme/sensors") == []
    assert not hub.lines("PUT", "PATCH")


@pytest.mark.slow
def test_a_repository_whose_answer_was_lost_is_found_again(hub: GitHub, actions: Any, run: Runner) -> None:
    def before(asked: Any) -> Any:
        if asked.method == "POST":
            hub.before = lambda _asked: None
            hub.answer(asked)
            return 502, None
        return None

    hub.before = before
    run(actions.publish, given(hub))

    assert hub.lines("POST") == ["POST /orgs/acme/repos"] * 2
    assert hub.branches("acme/sensors") == ["main"]


@pytest.mark.slow
def test_a_host_that_does_not_know_its_new_repository_yet_is_waited_for(hub: GitHub, actions: Any, run: Runner) -> None:
    hub.refused = [404]
    unknown = [404, 404]
    hub.before = lambda asked: (
        (unknown.pop(), {"message": "Branch not found"}) if asked.path.endswith("/protection") and unknown else None
    )
    _, lines = run(actions.publish, given(hub))

    assert sum("trying again in" in line for line in lines) == 3
    assert hub.branches("acme/sensors") == ["main"]
    assert "protection" in hub.kept


@pytest.mark.slow
def test_a_push_that_the_host_forbids_is_not_tried_again(hub: GitHub, actions: Any, run: Runner) -> None:
    hub.refused = [403, 403]
    with pytest.raises(SourceError, match="403"):
        run(actions.publish, given(hub))

    assert hub.refused == [403]


@pytest.mark.slow
def test_a_plan_without_protection_is_told(hub: GitHub, actions: Any, run: Runner) -> None:
    told = "Upgrade to GitHub Pro or make this repository public to enable this feature."
    hub.before = lambda asked: (403, {"message": told}) if asked.path.endswith("/protection") else None
    _, lines = run(actions.publish, given(hub))

    assert any("not protected" in line for line in lines)


@pytest.mark.slow
def test_a_limit_of_requests_is_waited_out(hub: GitHub, actions: Any, run: Runner) -> None:
    def before(asked: Any) -> Any:
        hub.before = lambda _asked: None
        return 429, {"message": "You have exceeded a secondary rate limit"}

    hub.before = before
    _, lines = run(actions.publish, given(hub))

    assert lines[0] == f"{hub.host} limits how often it is asked: waiting 60 s"
    assert hub.branches("acme/sensors") == ["main"]


def test_a_dry_run_says_what_would_be_and_asks_nobody(hub: GitHub, actions: Any, run: Runner) -> None:
    grants = [Grant(TEAM, RepositoryRight.MAINTAIN, {"github": "acme/data"})]
    output, lines = run(
        actions.publish,
        given(hub, requireCodeOwnerReviews=True),
        catalog=Registering(grants=grants),
        owner=TEAM,
        is_dry_run=True,
    )

    assert hub.asked == []
    assert output["repoContentsUrl"] == f"http://{hub.host}/acme/sensors/blob/main"
    assert lines[1:] == [
        f"Would make {hub.host}/acme/sensors (private) and push the workspace to its branch main",
        "Would give the team data maintain access",
        "Would protect the branch main",
    ]
    assert (run.work / ".github/CODEOWNERS").read_text() == "* @acme/data\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"repoUrl": "{host}?owner=acme&repo=a b"}, "expected letters"),
        ({"repoUrl": "{host}?owner=..&repo=a"}, "expected letters"),
        ({"repoUrl": "127.0.0.1:1?owner=acme&repo=a"}, "host"),
        ({"repoUrl": "gitlab.com?owner=acme&repo=a"}, "gitlab.com"),
        ({"defaultBranch": "../x"}, "branch"),
        ({"gitAuthorName": "a\nb"}, "author"),
        ({"collaborators": [{"access": "push"}]}, "a user or a team"),
        ({"repoVisibility": "secret"}, "repoVisibility"),
        ({"requiredApprovingReviewCount": 7}, "requiredApprovingReviewCount"),
    ],
)
def test_what_cannot_be_published_is_refused_before_anybody_is_asked(
    wrong: dict[str, Any], told: str, hub: GitHub, actions: Any, run: Runner
) -> None:
    wrong = {name: value.format(host=hub.host) if isinstance(value, str) else value for name, value in wrong.items()}
    with pytest.raises(InputError, match=told):
        run(actions.publish, given(hub, **wrong))

    assert hub.asked == []


@pytest.mark.slow
def test_the_token_of_the_step_goes_before_that_of_the_settings(hub: GitHub, actions: Any, run: Runner) -> None:
    with pytest.raises(ActionError, match="does not accept the token") as told:
        run(actions.publish, given(hub, token="not-the-token-of-anybody"))

    assert "not-the-token" not in str(told.value)
