"""A real OpenID Connect provider on this machine, with people who walk through it as browsers do."""

from __future__ import annotations

import html
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from npm import NODE, install
from servers import free_port
from werkzeug.serving import make_server

from portal.app import Portal, build
from portal.app.wsgi import create_app
from portal.config import load_settings

FOLDER = Path(__file__).parent / "oidc"
SECRET = "a-client-secret-of-a-test"
ANN = {"name": "Ann Ashby", "email": "Ann@example.com", "email_verified": True, "preferred_username": "ann"}
PEOPLE: dict[str, dict[str, Any]] = {
    "ann": ANN,
    "bob": {"name": "Bob", "email": "someone@example.com", "email_verified": True, "preferred_username": "bob"},
    "Carol-7": {"name": "Carol", "email": "carol@elsewhere.example", "email_verified": True},
    "liar": {"name": "Liar", "email": "ann@example.com", "email_verified": False, "preferred_username": "liar"},
    "twice": {"name": "Twice", "email": "twice@example.com", "email_verified": True},
    "stranger": {"name": "<b>Stranger</b>", "email": "stranger@example.com", "email_verified": True},
} | {
    # Of the shipped organisation.
    name: {"name": name, "email": f"{name}@example.com", "email_verified": True}
    for name in ("elena.rossi", "chen.yu", "amara.okafor")
}


class Provider:
    """A provider that runs, for the Portal at `portal_url`; `id` is what that one's settings call it."""

    def __init__(self, port: int, portal_url: str) -> None:
        self.port = port
        self.portal_url = portal_url
        self.issuer = f"http://127.0.0.1:{port}"

    def settings(self, id_: str = "corp", **more: Any) -> dict[str, Any]:
        """Return the table of settings by which Portal knows the provider."""
        table = {"id": id_, "issuer": self.issuer, "client_id": "portal", "client_secret": SECRET, "title": "Corp"}
        return table | more


@contextmanager
def provider_for(portal_url: str) -> Iterator[Provider]:
    """Run a provider whose clients are the Portal at a url."""
    install(FOLDER)
    port = free_port()
    client = {
        "client_id": "portal",
        "client_secret": SECRET,
        "redirect_uris": [f"{portal_url}/api/auth/{id_}/handler/frame" for id_ in ("corp", "lab")],
        "post_logout_redirect_uris": [f"{portal_url}/sign-in"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    given = json.dumps({"port": port, "people": PEOPLE, "clients": [client]})
    with subprocess.Popen([str(NODE), "provider.mjs", given], cwd=FOLDER, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().strip() == "listening"
            yield Provider(port, portal_url)
        finally:
            process.terminate()


@contextmanager
def portal_at(
    port: int, *, folder: Path, database: str, providers: list[dict[str, Any]], **more: Any
) -> Iterator[Portal]:
    """Serve a Portal from this process, on a port of loopback."""
    overrides = {
        "data": str(folder / "data"),
        "database": database,
        "port": port,
        "sign_in_providers": providers,
        **more,
    }
    with build(load_settings(environment={}, overrides=overrides)) as portal:
        portal.migrate()
        server = make_server("127.0.0.1", port, create_app(portal), threaded=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield portal
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class Visitor:
    """A browser of one person, without scripts: it keeps cookies, and is sent on by hand."""

    def __init__(self, portal_url: str) -> None:
        self.portal_url = portal_url
        self.http = httpx.Client(trust_env=False, timeout=60)

    @property
    def cookie(self) -> str:
        """The one cookie that Portal has given."""
        (found,) = [item.value for item in self.http.cookies.jar if item.name == self._cookie_name]
        return found or ""

    @cookie.setter
    def cookie(self, value: str) -> None:
        self.http.cookies.set(self._cookie_name, value, domain="127.0.0.1", path="/")

    @property
    def _cookie_name(self) -> str:
        return f"portal-{self.portal_url.rpartition(':')[2]}"

    def get(self, url: str, **options: Any) -> httpx.Response:
        """Ask for an address, of Portal unless it names another."""
        return self.http.get(urljoin(self.portal_url, url), **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        """Post to an address, of Portal unless it names another."""
        return self.http.post(urljoin(self.portal_url, url), **options)

    def start(self, query: str = "env=production", *, provider: str = "corp") -> str:
        """Begin a sign-in; return the provider's address that Portal sends the browser to."""
        found = self.get(f"/api/auth/{provider}/start?{query}")
        assert found.status_code == 302, found.text
        return found.headers["location"]

    def walk(self, url: str, *, login: str) -> str:
        """Sign in at the provider as somebody; return the address by which it sends the browser back to Portal."""
        found = self.http.get(url)
        for _ in range(20):
            if found.is_redirect:
                onward = urljoin(str(found.url), found.headers["location"])
                if onward.startswith(self.portal_url):
                    return onward
                found = self.http.get(onward)
                continue
            assert found.status_code == 200, found.text
            action, fields = form_of(found.text)
            fields |= {"login": login, "password": "any"} if 'name="login"' in found.text else {}
            found = self.http.post(urljoin(str(found.url), action), data=fields)
        raise AssertionError("the provider does not end")

    def sign_in(self, login: str, query: str = "env=production", *, provider: str = "corp") -> httpx.Response:
        """Sign in from beginning to end; return Portal's answer to what the provider sends back."""
        return self.get(self.walk(self.start(query, provider=provider), login=login))

    def who(self) -> str | None:
        """Return who Portal takes the browser's person for, None for nobody."""
        found = self.refresh()
        return found.json()["backstageIdentity"]["identity"]["userEntityRef"] if found.status_code == 200 else None

    def refresh(self, *, provider: str = "corp", **headers: str) -> httpx.Response:
        """Ask for a new token as a Backstage frontend does."""
        return self.get(f"/api/auth/{provider}/refresh", headers={"x-requested-with": "XMLHttpRequest"} | headers)


def form_of(page: str) -> tuple[str, dict[str, str]]:
    """Return where the first form of a page goes, with its hidden fields."""
    (form, *_) = re.findall(r"<form.*?</form>", page, re.DOTALL)
    action = re.search(r'action="([^"]*)"', form)
    hidden = {}
    for field in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', field), re.search(r'value="([^"]*)"', field)
        if name is not None and 'type="hidden"' in field:
            hidden[name[1]] = html.unescape(value[1]) if value else ""
    return html.unescape(action[1]) if action else "", hidden


def message_of(page: str) -> Any:
    """Return what a page would post to the window that opened it: origin and answer."""
    found = re.search(r'<script type="application/json" id="told">(.*?)</script>', page, re.DOTALL)
    assert found is not None, page
    return json.loads(found[1])
