"""The addresses of pages, put together once."""

from __future__ import annotations

import pytest
from flask import Flask, url_for
from hypothesis import given
from hypothesis import strategies as st

from portal.web.links import entity_url, owner_url, query_url
from portal.web.pages import web_blueprint

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def application() -> Flask:
    blueprint = web_blueprint()
    blueprint.add_url_rule("/problems", "problems")
    blueprint.add_url_rule("/catalog/<namespace>/<kind>/<name>", "entity")
    blueprint.add_url_rule("/owners/<kind>/<namespace>/<name>", "owner")
    app = Flask(__name__)
    app.register_blueprint(blueprint)
    return app


@pytest.fixture(scope="module")
def app() -> Flask:
    return application()


@given(query=st.dictionaries(st.sampled_from(["q", "kind", "tag"]), st.one_of(WORDS, st.lists(WORDS, min_size=1))))
def test_an_address_with_a_query_is_that_which_flask_makes(app: Flask, query: dict[str, str | list[str]]) -> None:
    with app.test_request_context():
        assert query_url("web.problems", query) == url_for("web.problems", **query)  # type: ignore[arg-type]


def test_addresses_that_are_remembered_are_those_below_the_requests_root(app: Flask) -> None:
    for root in ("", "/portal", ""):
        with app.test_request_context(base_url=f"http://localhost{root}"):
            assert entity_url("component:default/a.b_c") == f"{root}/catalog/default/component/a.b_c"
            assert owner_url("group:default/team-a") == f"{root}/owners/group/default/team-a"
            assert owner_url("component:default/x y") == f"{root}/catalog/default/component/x%20y"
            assert query_url("web.problems", {}) == f"{root}/problems"
