"""What all pages have in common: headers, a fault for what is not there."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, abort, render_template
from werkzeug.routing import PathConverter

from portal.model.sentence import Sentence
from portal.web.assets import asset_response


class PagePath(PathConverter):
    """Any path that is a page's: those of the APIs answer for themselves, in JSON."""

    regex = r"(?!api/|\.backstage/|\.well-known/)[^/].*?"


def add_answers(blueprint: Blueprint) -> None:
    """Add the files of pages, headers of all answers, the answer for what is not there."""
    blueprint.record_once(lambda state: state.app.url_map.converters.update(page=PagePath))

    @blueprint.after_request
    def secure(response: Response) -> Response:
        return _secured(response)

    @blueprint.get("/static/<name>")
    def asset(name: str) -> Response:
        return asset_response(name)

    @blueprint.get("/favicon.ico")
    def favicon() -> Response:
        return Response(status=204)

    @blueprint.get("/<page:path>")
    def anything_else(path: str) -> Response:
        abort(404, Sentence("There is no page /%(path)s.", path=path))


def content_policy(*, forms: str = "'self'") -> str:
    """Return what a page may load: Portal's own files, nothing from anywhere else; `forms` is where forms may lead."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
    )


def error_page(status: int, message: str) -> Response:
    """Return the page that tells people of a fault, wherever in the application it came up."""
    page = render_template("error.html", status=status, phrase=HTTPStatus(status).phrase, message=message)
    return _secured(Response(page, status, mimetype="text/html"))


def _secured(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", content_policy())
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response
