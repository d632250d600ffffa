"""What git hosts send: signatures of their documentation, spellings of repositories, payloads of any kind."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhooks import EVENT_HEADERS, HOSTS, SECRET, Sent, pushed, signed, signed_by_token

from portal.errors import InputError
from portal.model.location import Tree, parse_target
from portal.model.secret import Secret
from portal.model.webhook import Delivery, Push, is_signed, push_of, repository_of

TOKEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _delivery(host: str, sent: Sent) -> Delivery:
    return Delivery(host, {name.lower(): value for name, value in sent.headers.items()}, sent.body)


@pytest.mark.parametrize(
    ("host", "header", "body", "signature"),
    [
        (
            "github",
            "x-hub-signature-256",
            b"Hello, World!",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ),
        (
            "bitbucketCloud",
            "x-hub-signature",
            b"Hello World!",
            "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
        ),
    ],
)
def test_the_signatures_of_the_hosts_documentation_are_good(
    host: str, header: str, body: bytes, signature: str
) -> None:
    secret = Secret(SECRET)

    assert is_signed(Delivery(host, {header: signature}, body), secret, now=0)
    assert not is_signed(Delivery(host, {header: signature}, body + b" "), secret, now=0)
    assert not is_signed(Delivery(host, {header: signature[:-1]}, body), secret, now=0)
    assert not is_signed(Delivery(host, {header: signature}, body), Secret(SECRET + "!"), now=0)


def test_a_signing_token_of_gitlab_signs_id_time_and_content() -> None:
    now = time.time()
    sent = signed_by_token({"object_kind": "push"}, token=TOKEN, now=now)
    good = _delivery("gitlab", sent)

    assert is_signed(good, Secret(TOKEN), now=now + 299)
    assert not is_signed(good, Secret(TOKEN), now=now + 302)
    assert not is_signed(good, Secret(TOKEN), now=now - 302)
    two = {"webhook-signature": f"v1,AAAA {sent.headers['webhook-signature']}"}
    assert is_signed(Delivery("gitlab", {**good.headers, **two}, good.body), Secret(TOKEN), now=now)
    for name, value in {
        "webhook-id": "b",
        "webhook-timestamp": str(int(now) + 1),
        "webhook-signature": "v1,",
        "x-gitlab-token": TOKEN,
    }.items():
        changed = dict(good.headers) | {name: value}
        is_other = is_signed(Delivery("gitlab", changed, good.body), Secret(TOKEN), now=now)
        assert is_other == (name == "x-gitlab-token"), name
    only_token = Delivery("gitlab", {"x-gitlab-token": TOKEN}, good.body)
    assert not is_signed(only_token, Secret(TOKEN), now=now)
    for stamp in ("", "x", "٣", "9" * 5000, "-1", "1e9", str(now)):
        assert not is_signed(
            Delivery("gitlab", {**good.headers, "webhook-timestamp": stamp}, b""), Secret(TOKEN), now=0
        )


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("given", ["", "sha256=", "é", "x" * 10_000])
def test_anything_else_is_no_signature(host: str, given: str) -> None:
    names = ("x-hub-signature-256", "x-hub-signature", "x-gitea-signature", "x-gitlab-token", "webhook-signature")

    assert not is_signed(Delivery(host, dict.fromkeys(names, given), b"{}"), Secret(SECRET), now=0)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "target",
    [
        "https://git.example.com/Group/Repo",
        "https://git.example.com/group/repo.git/",
        "https://GIT.example.com:443/group/repo.git#main",
        "http://git.example.com:8080/group/repo#main:a/*.yaml",
        "ssh://git@git.example.com:2222/group/repo.git#main",
        "git@git.example.com:group/repo.git",
        "git@git.example.com:group/repo#main:x.yaml",
        "git://git.example.com/group/repo.git",
        "https://git.example.com/group/r%65po",
        "https://git.example.com/group/repo/-/blob/main/catalog-info.yaml",
        "https://git.example.com/group/repo/src/branch/main/catalog-info.yaml",
        "https://git.example.com/group/repo/blob/main/catalog-info.yaml",
    ],
)
def test_a_push_concerns_its_repository_however_a_source_spells_it(host: str, target: str) -> None:
    push = _push(host, "https://git.example.com/group/repo")

    assert push.concerns(parse_target("url", target).tree)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ssh://git@ssh.github.com:443/o/r.git", "https://github.com/o/r"),
        ("git@altssh.gitlab.com:o/s/r.git", "https://gitlab.com/o/s/r"),
        ("ssh://git@altssh.bitbucket.org:443/o/r", "https://bitbucket.org/o/r"),
    ],
)
def test_the_other_names_of_hosts_are_theirs(one: str, other: str) -> None:
    assert repository_of(one) == repository_of(other)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/group/repo2",
        "https://git.example.com/group",
        "https://git.example.org/group/repo",
        "https://git.example.com/group/repo/sub",
        "https://example.com/git.example.com/group/repo",
    ],
)
def test_a_push_concerns_no_other_repository(host: str, url: str) -> None:
    assert not _push(host, "https://git.example.com/group/repo").concerns(Tree("git", url, "main"))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("change", "branch", "concerns"),
    [
        ({"branch": "main"}, "main", True),
        ({"branch": "main"}, "mai", False),
        ({"branch": "main"}, "main2", False),
        ({"branch": "other"}, "main", False),
        ({"branch": "feature/x"}, "feature/x", True),
        ({"branch": "feature/x"}, "feature", True),  # in a url, what follows may be the path or the branch
        ({"branch": "main", "gone": True}, "main", True),
        ({"tag": "v1"}, "v1", True),
        ({"tag": "v1", "gone": True}, "v1", True),
        ({"tag": "v1"}, "main", False),
    ],
)
def test_a_push_concerns_its_branch(host: str, change: Any, branch: str, concerns: bool) -> None:
    push = _push(host, "https://h/o/r", **change)

    assert push.concerns(Tree("git", "https://h/o/r", branch)) == concerns


@pytest.mark.parametrize("host", ["github", "gitlab", "gitea"])
def test_what_names_no_branch_means_the_default_one(host: str) -> None:
    tree = Tree("git", "https://h/o/r")

    assert _push(host, "https://h/o/r", branch="trunk", default="trunk").concerns(tree)
    assert not _push(host, "https://h/o/r", branch="main", default="trunk").concerns(tree)


def test_a_host_that_does_not_say_its_default_branch_may_mean_it_by_any() -> None:
    assert _push("bitbucketCloud", "https://h/o/r", branch="x").concerns(Tree("git", "https://h/o/r"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "ref",
                    "repository",
                    "project",
                    "push",
                    "changes",
                    "new",
                    "old",
                    "name",
                    "links",
                    "html",
                    "href",
                    "object_kind",
                    "html_url",
                    "clone_url",
                    "web_url",
                    "default_branch",
                    "mainbranch",
                    "ref_type",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=8,
        )
    ),
    max_leaves=20,
)


def test_a_gitlab_payload_whose_kind_is_no_text_is_no_push() -> None:
    headers = {EVENT_HEADERS["gitlab"].lower(): "Push Hook"}

    assert push_of(Delivery("gitlab", headers, b'{"object_kind": ["push"]}')) is None


@given(host=st.sampled_from(HOSTS), payload=_JSON, event=st.text(max_size=5), is_push=st.booleans())
def test_any_payload_is_a_push_or_none_or_told_as_a_fault(host: str, payload: Any, event: str, is_push: bool) -> None:
    known = {"github": "push", "gitlab": "Push Hook", "gitea": "push", "bitbucketCloud": "repo:push"}
    headers = {EVENT_HEADERS[host].lower(): known[host] if is_push else event}

    with contextlib.suppress(InputError):
        found = push_of(Delivery(host, headers, json.dumps(payload).encode()))
        assert found is None or (found.repositories and found.refs)


@given(host=st.sampled_from(HOSTS), body=st.binary())
def test_any_body_is_told_as_a_fault(host: str, body: bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded; charset=x"):
        with contextlib.suppress(InputError):
            Delivery(host, {"content-type": kind}, body).payload()


def _push(host: str, url: str, **more: Any) -> Push:
    found = push_of(_delivery(host, signed(host, *pushed(host, url, **more))))
    assert found is not None
    return found
