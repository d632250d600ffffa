"""The pages where people sign in, out."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from portal.services.sessions import Session
from portal.services.sign_in import SignInService
from portal.web.answers import content_policy

SIGN_IN_PAGE = "/sign-in"
_SIGN_OUT_PAGE = "/sign-out"


def add_sign_in_pages(
    blueprint: Blueprint,
    sign_in: SignInService,
    *,
    base_url: str,
    allows_guests: bool,
    session: Callable[[], Session | None],
    leave: Callable[[], None],
    fault: Callable[[], str | None],
) -> None:
    """Add the pages. `session` and `leave` are of the browser that asks, `fault` what went wrong at its sign-in."""
    origin = base_url.rstrip("/")

    @blueprint.get(SIGN_IN_PAGE)
    def sign_in_page() -> ResponseReturnValue:
        if sign_in.providers and request.host.lower() != urlsplit(origin).netloc.lower():
            # The provider sends people back to Portal's own url: the cookie of another name would not be there.
            return redirect(f"{origin}{request.full_path.rstrip('?')}")
        return_to = local_path(request.args.get("return", "/"))
        message = fault()
        page = render_template(
            "sign_in.html",
            starts=[
                (
                    provider.title,
                    f"/api/auth/{provider.id}/start?"
                    + urlencode({"env": "production", "flow": "redirect", "redirectUrl": f"{origin}{return_to}"}),
                )
                for provider in sign_in.providers
            ],
            fault=message,
            allows_guests=allows_guests,
        )
        return _kept_out_of_caches(make_response(page, 200 if message is None else 403))

    @blueprint.get(_SIGN_OUT_PAGE)
    def sign_out_page() -> ResponseReturnValue:
        found = session()
        if found is None:
            return redirect(SIGN_IN_PAGE)
        response = _kept_out_of_caches(make_response(render_template("sign_out.html", session=found)))
        # The answer to the form may lead on to the provider, which browsers count as the form's own place.
        ends_at = sign_in.end_endpoint(found)
        targets = " ".join(["'self'", *([_origin(ends_at)] if ends_at is not None else [])])
        response.headers["Content-Security-Policy"] = content_policy(forms=targets)
        return response

    @blueprint.post(_SIGN_OUT_PAGE)
    def sign_out() -> ResponseReturnValue:
        found = session()
        url = None if found is None else sign_in.end(found, return_to=f"{origin}{SIGN_IN_PAGE}")
        leave()
        return _kept_out_of_caches(make_response(redirect(url or SIGN_IN_PAGE, 303)))


def local_path(text: str) -> str:
    r"""Return a path of Portal as it is, the home page for anything else.

    Browsers take `//host` and `/\host` for another host, and leave tabs and line ends out before they look.
    """
    is_local = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if is_local else "/"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _kept_out_of_caches(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
