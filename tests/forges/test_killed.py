"""Publishing at GitLab and Gitea by a Portal that is killed at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from forge_servers import TOKEN, Answer, Asked, Forge
from publishing import publish_killed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gitlab", "gitea"])
def test_killed_between_making_and_pushing_it_goes_on_with_its_own_repository(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge: Forge = request.getfixturevalue(kind)

    def when(kill: Callable[[], None]) -> None:
        def killing(asked: Asked) -> Answer | None:
            if asked.method != "POST":
                return None
            forge.before = lambda _asked: None
            forge.answer(asked)
            kill()
            return 502, None

        forge.before = killing

    def killed() -> None:
        assert forge.branches("science/sensors") == []

    host = {"host": forge.host, "type": kind, "token": TOKEN, "base_url": forge.url}
    found = publish_killed(
        tmp_path, monkeypatch, action=f"publish:{kind}", host=host, owner="science", when=when, killed=killed
    )

    assert found["spec"]["owner"] == "team-a"
    assert len([asked for asked in forge.wrote() if asked.startswith("POST")]) == 1
    (branch,) = forge.branches("science/sensors")
    assert forge.git("science/sensors", "rev-list", "--count", branch) == "1"
    assert forge.repositories["science/sensors"]["description"] == ("Readings" if kind == "gitea" else "")
