from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import InputError, NotAllowedError
from portal.model.login import without_credentials
from portal.vcs.policy import RemotePolicy


@pytest.mark.parametrize(
    "remote",
    [
        "https://host/a\nb",
        "https://host/a%0ab",
        "https://ho%2dst/a",
        "https://-host/a",
        "https://host",
        "https://host/a?token=x",
        "https://host:port/a",
        "ssh://-u@host/a",
        "ssh://host/-a",
        "ssh://%2doProxyCommand=id/a",
        "git@-host:a",
        "git@host:-a",
        "git://user:pw@host/a",
        "file://elsewhere/a",
        "not a remote",
    ],
)
def test_what_git_could_misread_is_no_remote(remote: str) -> None:
    with pytest.raises((InputError, NotAllowedError)):
        RemotePolicy(any_file=True).check(remote, trusted=True)


@pytest.mark.parametrize("scheme", ["ext", "fd", "http", "file", ""])
def test_remote_helpers_are_refused_whatever_they_wrap(scheme: str) -> None:
    with pytest.raises(NotAllowedError):
        RemotePolicy(any_file=True).check(f"{scheme}::https://host/a", trusted=True)


def test_a_folder_must_really_lie_in_a_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "root-beside"
    root.mkdir()
    outside.mkdir()
    (root / "in.git").mkdir()
    (root / "link").symlink_to(outside)
    (root / "named.git").symlink_to(outside)
    policy = RemotePolicy(file_roots=(root,))

    assert policy.check(f"file://{root}/in") == (root / "in.git").as_uri()
    for path in (f"{root}/link", f"{root}/named", f"{root}/../root-beside", f"{root}/%2e%2e/root-beside", str(outside)):
        with pytest.raises(NotAllowedError):
            policy.check(f"file://{path}")
        assert policy.check(f"file://{path}", trusted=True) == outside.as_uri()


def test_one_remote_has_one_url() -> None:
    policy = RemotePolicy()

    assert policy.check("HTTPS://Host.Example/a/b/") == policy.check("https://host.example/a/b")
    assert policy.check("ssh://git:pw@host/a") == "ssh://git@host/a"


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("https://ann:s3cret@host/a", "https://host/a"),
        ("https://s3cret@host/a", "https://host/a"),
        ("https://ann:s3/cr/et@host/a", "https://***@host/a"),
        ("https://ann:a@s3cret@host/a", "https://host/a"),
        ("https://host/a?token=s3cret", "https://host/a"),
        ("ext::https://ann:s3cret@host/a", "ext::https://host/a"),
        ("ann:s3cret@host/a", "***@host/a"),
        ("ssh://git:s3cret@host/a", "ssh://git@host/a"),
        ("git@host:a/b", "git@host:a/b"),
        ("https://host/@scope/a", "https://host/@scope/a"),
    ],
)
def test_no_credentials_are_shown(remote: str, shown: str) -> None:
    assert without_credentials(remote) == shown


@given(st.text(max_size=40), st.sampled_from(["", "https://", "ssh://", "file:///", "git@h:", "ext::"]))
def test_any_text_is_a_remote_or_refused(text: str, start: str) -> None:
    try:
        url = RemotePolicy().check(start + text)
    except (InputError, NotAllowedError):
        return
    assert RemotePolicy().check(url) == url
    assert not url.startswith(("-", "file:"))
