"""Routes whose urls are put together by code that is compiled late."""

from __future__ import annotations

import pytest
from flask import Flask, url_for
from werkzeug.routing import BuildError, Rule

from portal.app.late_rules import LateRule


def _application(rules: type[Rule]) -> Flask:
    app = Flask("routes", static_folder=None)
    app.url_rule_class = rules
    app.add_url_rule("/a/<kind>/<path:name>", "named", lambda kind, name: f"{kind} {name}")
    app.add_url_rule("/b", "plain", lambda kind: kind, defaults={"kind": "c"})
    return app


@pytest.mark.parametrize(
    ("endpoint", "values"),
    [
        ("named", {"kind": "k/1", "name": "ä/ö"}),
        ("named", {"kind": "k", "name": "n", "q": "1 2"}),
        ("named", {"kind": "k", "name": "n", "rule": "r", "self": "s"}),
        ("plain", {}),
    ],
)
def test_urls_are_those_that_werkzeug_makes_at_once(endpoint: str, values: dict[str, str]) -> None:
    late, soon = _application(LateRule), _application(Rule)

    with late.test_request_context():
        found = [url_for(endpoint, **values) for _ in range(2)]
    with soon.test_request_context():
        assert found == [url_for(endpoint, **values)] * 2


def test_it_answers_and_refuses_as_werkzeug_does() -> None:
    late = _application(LateRule)

    assert late.test_client().get("/a/k/n/m").text == "k n/m"
    with late.test_request_context(), pytest.raises(BuildError):
        url_for("named", kind="k")


def test_nothing_is_compiled_before_a_url_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    original = Rule._get_func_code

    def noted(code, name):
        compiled.append(code)
        return original(code, name)

    monkeypatch.setattr(Rule, "_get_func_code", staticmethod(noted))
    late = _application(LateRule)
    assert late.test_client().get("/b").status_code == 200
    assert compiled == []

    with late.test_request_context():
        assert url_for("named", kind="k", name="n") == "/a/k/n"
    assert compiled
