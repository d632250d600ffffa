"""The language of the pages: what a reader has chosen, else what the browser asks for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.resources import files
from typing import Any

from flask import Blueprint, Flask, current_app, g, redirect, request
from flask.typing import ResponseReturnValue

from portal.model.sentence import Sentence
from portal.web.sign_in import local_path

#: The languages that there are, by the name that HTML has for them; English is what the messages are written in.
LANGUAGES = {"en": "English", "zh-Hans": "中文"}
_COOKIE = "portal_language"
_YEAR_SECONDS = 31_536_000
_GROUPED_FROM = 1_000
#: What Babel calls a language where that differs.
_LOCALES = {"zh-Hans": "zh"}


def gettext(message: str, **values: Any) -> str:
    """Return a message in the reader's language, `%(name)s` replaced by the values."""
    found = str(_messages().ugettext(message))
    return found % values if values else found


def ngettext(one: str, many: str, num: int, **values: Any) -> str:
    """Return one of two messages by a number, which is the value `num` too."""
    return str(_messages().ungettext(one, many, num)) % {"num": num, **values}


def translated(text: str) -> str:
    """Return what a service says in the reader's language: a sentence by its template, any other text if it is known.

    What is not known stays as it is: a company's own rules, what an extension says.
    """
    if isinstance(text, Sentence):
        found = str(_messages().ugettext(text.template))
        return found % {name: _filled_in(value) for name, value in text.values.items()} if text.values else found
    # Of an empty text gettext tells the head of its catalogue.
    return str(_messages().ugettext(text)) if text else text


def translated_parts(value: Any) -> Any:
    """Return JSON with the sentences in it in the reader's language; what else it says is somebody's own."""
    if isinstance(value, Mapping):
        return {name: translated_parts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [translated_parts(item) for item in value]
    return translated(value) if isinstance(value, Sentence) else value


def number(value: float) -> str:
    """Return a number as the reader's language writes it."""
    if isinstance(value, int) and 0 <= value < _GROUPED_FROM:
        # Both languages write it so; a page may hold hundreds.
        return str(value)
    return str(_babel().format_decimal(value))


def since(seconds: float) -> str:
    """Return how long ago something was, or how far ahead it is where that is less than 0, as the reader says it."""
    return str(_babel().format_timedelta(timedelta(seconds=-seconds), add_direction=True))


def language() -> str:
    """Return the language of the request as HTML names it."""
    chosen = request.cookies.get(_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    asked = request.accept_languages.best_match(["en", "zh", "zh-CN", "zh-SG", "zh-Hans", "zh-TW", "zh-HK"], "en")
    return "zh-Hans" if asked.startswith("zh") else "en"


def register_language(app: Flask) -> None:
    """Give the templates of an application their messages; nothing of it is imported before the first is needed."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    # Jinja puts the values in itself, escaped.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
        lambda message: _messages().ugettext(message),
        lambda one, many, num: _messages().ungettext(one, many, num),
        newstyle=True,
    )
    # By itself it looks for the other by its name, each time.
    app.jinja_env.globals["_"] = app.jinja_env.globals["gettext"]
    app.jinja_env.filters["number"] = number
    app.jinja_env.filters["translated"] = translated
    app.jinja_env.filters["since"] = since


def add_language(blueprint: Blueprint) -> None:
    """Add the way to choose a language, which the browser keeps."""

    @blueprint.app_context_processor
    def context() -> dict[str, Any]:
        return {"language": language(), "languages": LANGUAGES}

    @blueprint.get("/language/<name>")
    def choose_language(name: str) -> ResponseReturnValue:
        response = redirect(local_path(request.args.get("return", "/")), 303)
        if name in LANGUAGES:
            response.set_cookie(_COOKIE, name, max_age=_YEAR_SECONDS, httponly=True, samesite="Lax")
        response.headers["Cache-Control"] = "no-store"
        return response


def _filled_in(value: Any) -> Any:
    """Return a value of a sentence as the reader's language has it; names and numbers stay what they are."""
    if isinstance(value, Sentence):
        return translated(value)
    if isinstance(value, list | tuple):
        return gettext(", ").join(_filled_in(item) for item in value)
    return value


def _messages() -> Any:
    """Return the messages in the reader's language, found once for a request: a page takes a hundred of them."""
    found = g.get("messages")
    if found is None:
        found = g.messages = _babel().get_translations()
    return found


def _babel() -> Any:
    """Return Flask-Babel, made known to the application when a first message is wanted: it takes long to import."""
    import flask_babel  # noqa: PLC0415

    if "babel" not in current_app.extensions:
        flask_babel.Babel(
            current_app,
            configure_jinja=False,
            default_translation_directories=str(files("portal.web").joinpath("translations")),
            locale_selector=lambda: _LOCALES.get(language(), language()),
        )
    return flask_babel
