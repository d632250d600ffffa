"""What the routes of all pages stand on."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Flask
from flask_compress import Compress

from portal.web.answers import add_answers
from portal.web.language import add_language, register_language
from portal.web.links import add_links
from portal.web.markdown import coded, markdown


def web_blueprint() -> Blueprint:
    """Return a blueprint that pages can be added to: headers, files, languages and addresses are there."""
    blueprint = Blueprint("web", __name__, template_folder="templates")
    blueprint.record_once(lambda state: register_language(cast(Flask, state.app)))
    blueprint.record_once(lambda state: _pack(blueprint, cast(Flask, state.app)))
    add_answers(blueprint)
    add_language(blueprint)
    add_links(blueprint)
    blueprint.add_app_template_filter(markdown, "markdown")
    blueprint.add_app_template_filter(coded, "coded")
    return blueprint


def _pack(blueprint: Blueprint, app: Flask) -> None:
    """Have pages with their files packed; what programs ask for is not: they are near, and packing costs more."""
    app.config["COMPRESS_MIMETYPES"] = ["text/html", "text/css", "text/javascript", "image/svg+xml", "text/csv"]
    app.config["COMPRESS_REGISTER"] = False
    packing = Compress(app)
    app.after_request_funcs.setdefault(blueprint.name, []).append(packing.after_request)
