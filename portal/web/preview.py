"""The page on which the author of a template sees what it makes, while it is being written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from portal.model.secret import Secret
from portal.scaffolder.skeleton import SkeletonEntry
from portal.services.dry_run import DryRunResult
from portal.services.preview import Preview
from portal.web.assets import asset_name, asset_response
from portal.web.preview_form import form_pages, read_form

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_SECRET = "secret/"  # noqa: S105  # what the names of inputs begin with
_LONGEST_SHOWN = 200_000


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file that the template makes; `text` is None for one that is not text."""

    path: str
    text: str | None
    size_bytes: int
    is_executable: bool
    target: str


def preview_app(preview: Preview, changes: Callable[[], Iterator[bool]]) -> Flask:
    """Return the application of one preview.

    `changes` yields while the template's files are watched: whether they have changed, False every now and then.
    """
    app = Flask("portal.web", static_folder=None, template_folder="templates")
    app.register_blueprint(_pages(preview))
    app.register_blueprint(_stream(changes))

    @app.before_request
    def refuse_others() -> None:
        # A page elsewhere may neither have a name of its own lead here, nor send a form.
        if urlsplit(request.host_url).hostname not in {"127.0.0.1", "localhost", "::1"}:
            abort(403, "The preview answers to this machine's own names only.")
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and origin != request.host_url.rstrip("/"):
            abort(403, "The form was sent by a page of another origin.")

    @app.after_request
    def secure(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def _pages(preview: Preview) -> Blueprint:
    blueprint = Blueprint("preview", __name__)

    @blueprint.get("/")
    def page() -> str:
        look = preview.look()
        shown = form_pages(look.form, look.values)
        return render_template(
            "preview.html",
            asset_url=lambda name: url_for("preview.static", name=asset_name(name)),
            look=look,
            pages=shown,
            secret_prefix=_SECRET,
            faults=look.faults,
            steps=_steps(look.result),
            log=[str(line.get("message", "")) for line in look.result.log] if look.result else [],
            output=_output(look.result),
            files=[_file(entry) for entry in look.result.files] if look.result else [],
        )

    @blueprint.post("/")
    def give() -> AnyResponse:
        look = preview.look()
        values, secrets = read_form(form_pages(look.form, look.values), request.form)
        given = {name: request.form.get(f"{_SECRET}{name}", "") for name in look.secrets}
        preview.give(values, {**secrets, **{name: Secret(text) for name, text in given.items() if text}})
        return redirect(url_for("preview.page"), 303)

    @blueprint.get("/static/<name>")
    def static(name: str) -> Response:
        return asset_response(name)

    @blueprint.get("/favicon.ico")
    def favicon() -> Response:
        return Response(status=204)

    return blueprint


def _stream(changes: Callable[[], Iterator[bool]]) -> Blueprint:
    blueprint = Blueprint("changes", __name__)

    @blueprint.get("/changes")
    def stream() -> Response:
        """Tell of each change of the template's files, as server-sent events."""

        def events() -> Iterator[str]:
            yield "retry: 1000\n\n"
            for has_changed in changes():
                # The comment finds out whether the browser still listens.
                yield "event: changed\ndata: \n\n" if has_changed else ":\n\n"

        return Response(events(), mimetype="text/event-stream")

    return blueprint


def _steps(result: DryRunResult | None) -> list[tuple[str, str, str]]:
    """Return id, name, status of each step."""
    if result is None:
        return []
    status = {line.get("stepId"): str(line["status"]) for line in result.log if line.get("status")}
    return [(step["id"], step["name"], status.get(step["id"], "not run")) for step in result.steps]


def _output(result: DryRunResult | None) -> str:
    if result is None or not result.output:
        return ""
    return orjson.dumps(dict(result.output), option=orjson.OPT_INDENT_2).decode()


def _file(entry: SkeletonEntry) -> ShownFile:
    text: str | None = None
    if entry.kind == "file" and b"\0" not in entry.content and len(entry.content) <= _LONGEST_SHOWN:
        try:
            text = entry.content.decode()
        except UnicodeDecodeError:
            text = None
    return ShownFile(entry.path, text, len(entry.content), bool(entry.mode & 0o100), entry.target)
