from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from flask import Flask, Response, abort, request
from flask.testing import FlaskClient
from marshmallow import ValidationError

from portal import errors
from portal.api.errors import register_error_handlers

FAULTS: dict[str, Callable[[], object]] = {
    "input": lambda: errors.InputError("bad"),
    "nobody": lambda: errors.AuthenticationError("bad"),
    "forbidden": lambda: errors.NotAllowedError("bad"),
    "missing": lambda: errors.NotFoundError("bad"),
    "conflict": lambda: errors.ConflictError("bad"),
    "away": lambda: errors.SourceUnreachableError("bad", "https://example.com"),
    "values": lambda: errors.ValuesError("bad", [{"message": "name is missing"}]),
    "marshmallow": lambda: ValidationError({"limit": ["Not a valid integer."]}),
    "settings": lambda: errors.SettingsError("the password is hunter2"),
    "program": lambda: KeyError("the password is hunter2"),
}


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("test", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 10

    @app.get("/api/faults/<fault>")
    @app.get("/pages/faults/<fault>")
    def fail(fault: str) -> None:
        error = FAULTS[fault]()
        assert isinstance(error, Exception)
        raise error

    @app.get("/api/slash/")
    def slash() -> str:
        return "ok"

    @app.post("/api/body")
    def body() -> bytes:
        return request.get_data()

    @app.get("/api/aborted")
    def aborted() -> str:
        abort(418)

    register_error_handlers(app)
    return app.test_client()


@pytest.mark.parametrize(
    ("fault", "status", "name", "message"),
    [
        ("input", 400, "InputError", "bad"),
        ("nobody", 401, "AuthenticationError", "bad"),
        ("forbidden", 403, "NotAllowedError", "bad"),
        ("missing", 404, "NotFoundError", "bad"),
        ("conflict", 409, "ConflictError", "bad"),
        ("away", 503, "ServiceUnavailableError", "bad"),
        ("marshmallow", 400, "InputError", "request/limit Not a valid integer."),
    ],
)
def test_a_fault_is_told_as_backstage_tells_it(
    client: FlaskClient, fault: str, status: int, name: str, message: str
) -> None:
    response = client.get(f"/api/faults/{fault}?a=b%20c")

    assert response.status_code == status
    assert response.json == {
        "error": {"name": name, "message": message},
        "request": {"method": "GET", "url": f"/api/faults/{fault}?a=b%20c"},
        "response": {"statusCode": status},
    }


def test_values_that_do_not_fit_a_form_are_told_one_by_one(client: FlaskClient) -> None:
    response = client.get("/api/faults/values")

    assert (response.status_code, response.json) == (400, {"errors": [{"message": "name is missing"}]})


@pytest.mark.parametrize("fault", ["settings", "program"])
@pytest.mark.parametrize("place", ["api", "pages"])
def test_what_went_wrong_inside_is_logged_with_its_cause_but_not_told(
    client: FlaskClient, fault: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = client.get(f"/{place}/faults/{fault}")

    assert response.status_code == 500
    assert "hunter2" not in response.text
    (record,) = [record for record in caplog.records if record.name == "portal.api.errors"]
    assert record.exc_info is not None
    assert "hunter2" in str(record.exc_info[1])
    assert record.__dict__["path"] == f"/{place}/faults/{fault}"


@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/.backstage/nothing", "/.well-known/nothing"])
def test_a_route_that_is_not_there_is_not_found_in_json(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.json is not None
    assert response.json["error"]["name"] == "NotFoundError"


def _page(status: int, message: str) -> Response:
    return Response(f"<p>{message}</p>", status, mimetype="text/html")


@pytest.mark.parametrize(
    ("path", "accept", "mimetype"),
    [
        ("/pages/faults/missing", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("/pages/faults/missing", "*/*", "text/html"),
        ("/pages/faults/missing", "", "text/html"),
        ("/pages/faults/missing", "application/json", "application/json"),
        ("/nowhere", "text/html", "text/html"),
        ("/api/faults/missing", "text/html", "application/json"),
        ("/api/nowhere", "text/html", "application/json"),
    ],
)
def test_people_are_told_on_a_page_and_programs_in_json(
    client: FlaskClient, path: str, accept: str, mimetype: str
) -> None:
    register_error_handlers(client.application, _page)

    response = client.get(path, headers={"Accept": accept})

    assert (response.status_code, response.mimetype) == (404, mimetype)


def test_without_pages_everybody_is_told_in_json(client: FlaskClient) -> None:
    response = client.get("/pages/faults/missing", headers={"Accept": "text/html"})

    assert (response.status_code, response.mimetype) == (404, "application/json")


def test_another_method_than_those_of_the_route_is_told_with_what_is_allowed(client: FlaskClient) -> None:
    response = client.delete("/api/body")

    assert response.status_code == 405
    assert sorted(response.headers["Allow"].split(", ")) == ["OPTIONS", "POST"]
    assert response.json is not None
    assert response.json["error"]["name"] == "MethodNotAllowedError"


def test_a_body_that_is_too_large_is_told(client: FlaskClient) -> None:
    response = client.post("/api/body", data=b"x" * 11)

    assert response.status_code == 413
    assert response.json is not None
    assert response.json["error"]["name"] == "PayloadTooLargeError"


def test_a_redirect_is_no_fault(client: FlaskClient) -> None:
    assert client.get("/api/slash").status_code == 308


def test_any_other_status_keeps_its_own(client: FlaskClient) -> None:
    assert client.get("/api/aborted").status_code == 418
