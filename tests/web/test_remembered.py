"""What pages show is read once for each revision of the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalogs import component, documents, group
from repositories import MakeRepository
from sqlalchemy import event

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings


def described(text: str) -> str:
    return documents(component("shop").replace("name: shop", f"name: shop, description: {text}"), group("team-a"))


@pytest.mark.parametrize(("path", "told"), [("/catalog", "entities.body"), ("/search?q=shop", "search_words")])
def test_what_a_page_shows_is_read_again_when_the_catalog_changes(
    path: str, told: str, tmp_path: Path, repo: MakeRepository
) -> None:
    made = repo({"catalog-info.yaml": described("sells things")})
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        portal.ingest([("url", made.url)])
        client = create_app(portal).test_client()
        statements: list[str] = []

        def shown() -> str:
            statements.clear()
            return client.get(path).get_data(as_text=True)

        event.listen(portal.database.engine, "before_cursor_execute", lambda *asked: statements.append(str(asked[2])))

        assert "sells things" in shown()
        assert any(told in statement for statement in statements)
        assert "sells things" in shown()
        assert not any(told in statement for statement in statements)

        made.commit({"catalog-info.yaml": described("rents things")})
        portal.ingest([("url", made.url)])
        assert "rents things" in shown()
        assert "sells things" not in shown()
