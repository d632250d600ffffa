"""Pages come into an application that has answered already, and nobody finds it half made."""

from __future__ import annotations

import threading
from pathlib import Path

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings


def test_pages_come_when_one_is_asked_for(tmp_path: Path) -> None:
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        app = create_app(portal, has_pages=False)
        before = {rule.endpoint for rule in app.url_map.iter_rules()}
        assert not [endpoint for endpoint in before if endpoint.startswith("web.")]
        client = app.test_client()
        assert client.get("/api/catalog/entities").status_code == 200
        answers: list[int] = []
        ended = threading.Event()

        def ask() -> None:
            own = app.test_client()
            while not ended.is_set():
                answers.append(own.get("/api/catalog/entities").status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            assert client.get("/").status_code == 200
        finally:
            ended.set()
            asking.join()
        assert set(answers) == {200}
        assert client.get("/nowhere").status_code == 404
        assert client.get("/api/nowhere").json["error"]["name"] == "NotFoundError"
        whole = create_app(portal)
        assert {str(rule) for rule in app.url_map.iter_rules()} == {str(rule) for rule in whole.url_map.iter_rules()}
        options = client.options("/api/catalog/entities")
        assert options.headers["Allow"] == whole.test_client().options("/api/catalog/entities").headers["Allow"]
