"""Publishing at GitHub by a Portal that is killed at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from githubs import TOKEN, Asked, GitHub
from publishing import publish_killed


@pytest.mark.slow
def test_killed_between_making_and_pushing_it_goes_on_with_its_own_repository(
    hub: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def when(kill: Callable[[], None]) -> None:
        def killing(asked: Asked) -> Any:
            if asked.method != "POST":
                return None
            hub.before = lambda _asked: None
            hub.answer(asked)
            kill()
            return 502, None

        hub.before = killing

    def killed() -> None:
        assert hub.branches("acme/sensors") == []

    host = {"host": hub.host, "type": "github", "token": TOKEN, "base_url": f"http://{hub.host}"}
    found = publish_killed(
        tmp_path, monkeypatch, action="publish:github", host=host, owner="acme", when=when, killed=killed
    )

    assert found["spec"]["owner"] == "team-a"
    assert hub.lines("POST") == ["POST /orgs/acme/repos"]
    assert hub.git("acme/sensors", "rev-list", "--count", "main") == "1"
    assert hub.repositories["acme/sensors"]["description"] == "Readings"
