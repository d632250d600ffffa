"""Lives through all in which a secret passes a Portal: signs in, runs templates, registers, asks, is refused."""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
from identity_providers import Provider, Visitor, message_of
from scaffolds import template
from servers import Server
from waiting import eventually
from webhooks import pushed, signed

from portal.web.task_page import SECRET_PREFIX

TASKS = "/api/scaffolder/v2/tasks"
TOKENS = "/api/auth/v1/tokens"
ENDS = {"publishes": "completed", "lives": "completed", "waits": "processing"}
#: Pages that tell of the catalog, of what is read, of tasks.
PAGES = [
    *("/", "/sign-in", "/kinds", "/catalog", "/catalog.csv", "/catalog/default/component/a", "/search?q=a", "/owners"),
    *("/owners/group/default/team-a?moves=1&drift=1", "/projects", "/layers", "/problems", "/graph", "/register"),
    *("/tools", "/create", "/create/tasks", "/create/upgrades", "/create/templates/default/lives"),
]
PARAMETERS = {"plain", "odd", "lines", "login"}


def made_up() -> dict[str, str]:
    """Return the secrets that people and settings give to Portal; no two have a word in common."""

    def word() -> str:
        return secrets.token_hex(12)

    return {
        "plain": f"plain{word()}",
        "odd": f"o'd\"{word()}\\ é+%&{word()}",
        "lines": f"-----BEGIN {word()}-----\n{word()}\n-----END {word()}-----\n",
        "login": f"p@{word()}:{word()}",
        "unfit": word(),
        "no text": word(),
        "integration": word(),
        "location": word(),
        "program": word(),
        "other program": word(),
        "webhook": word(),
        "plain webhook": word(),
        "bad webhook": word(),
        "client": word(),
        "database": word(),
        "state": word(),
        "bearer": word(),
        "basic": word(),
    }


@contextmanager
def parrot() -> Iterator[str]:
    """Run a git host that lets nobody in, and repeats the login that it is shown in every way; yield `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown = self.headers.get("authorization", "")
            login = base64.b64decode(shown.removeprefix("Basic ")).decode() if shown else "nobody"
            password = login.partition(":")[2]
            told = f"no {shown} as {login} with {password} or {quote(password, safe='')} or {json.dumps(password)}"
            content = told.encode()
            self.send_response(403)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  # the name that the server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def step(id_: str, action: str, /, **given: Any) -> dict[str, Any]:
    return {"id": id_, "action": action, "input": given}


def templates(host: str) -> list[dict[str, Any]]:
    """Return templates that do with their secrets what they should, and should not; the first two alone succeed."""
    url = f"http://ann:${{{{ secrets.login | urlencode }}}}@{host}/o/r"
    writes = step(
        "writes",
        "catalog:write",
        entity={"kind": "x", "metadata": {"name": "x", "a": "${{ secrets.odd }}", "b": "${{ secrets.lines }}"}},
    )
    told = "${{ steps.registers.output.catalogInfoUrl }}"
    lives = [
        step("uses", "debug:log", message="${{ secrets.plain }} ${{ secrets.odd }} ${{ secrets.lines }}"),
        step("derives", "debug:log", message="is ${{ secrets.plain | upper }} ${{ secrets.odd | urlencode }}"),
        step("repeats", "debug:log", message="a ${{ each.value }} b")
        | {"each": ["${{ secrets.odd }}", "${{ secrets.plain | reverse }}"]},
        writes,
        step("lists", "debug:log", listWorkspace="with-contents"),
        step(
            "registers",
            "catalog:register",
            catalogInfoUrl="https://127.0.0.1:9/${{ secrets.plain | reverse }}/a.yaml",
            optional=True,
        ),
        step("tells", "debug:log", message=f"It was {told}"),
    ]
    long = "x" * 300
    failing: dict[str, list[dict[str, Any]]] = {
        "misses": [step("s", "fetch:plain", url="./${{ secrets.odd }}")],
        "breaks": [step("s", "fetch:plain", url="./skeleton", targetPath=f"${{{{ secrets.odd }}}}{long}")],
        "breaks-derived": [
            step("s", "fetch:plain", url="./skeleton", targetPath=f"${{{{ secrets.plain | reverse }}}}{long}")
        ],
        "rounds": [step("s", "debug:log", message="a") | {"each": "${{ secrets.plain | reverse }}"}],
        "pushes": [writes, step("s", "publish:git", name="a/b", remote=url)],
        "pushes-with-token": [
            writes,
            step("s", "publish:git", name="a/b", remote=f"http://{host}/o/r", token="${{ secrets.odd }}"),
        ],
        "reads": [step("s", "fetch:plain", url=f"{url}#main:x")],
        "unfit": [step("s", "debug:log", message="never")],
        "waits": [step("s", "debug:wait", seconds=600)],
    }
    strict = {"schema": {"properties": {"plain": {"type": "string", "maxLength": 3}}}}
    publishes = [
        step("tells", "debug:log", message="${{ secrets.plain }}"),
        step("fetches", "fetch:template", url="./skeleton", values={"token": "${{ secrets.odd }}"}),
        step("publishes", "publish:git", name="team-a/made"),
    ]
    return [
        template("publishes", publishes),
        template("lives", lives, output={"text": [{"title": "a", "content": told}], "url": told}),
        *(template(name, steps, **({"secrets": strict} if name == "unfit" else {})) for name, steps in failing.items()),
    ]


class Life:
    """A Portal that is served, who asks it, the secrets that have passed, and what it has answered."""

    def __init__(self, server: Server, given: dict[str, str], provider: Provider) -> None:
        self.server = server
        self.secrets = given
        self.provider = provider
        self.told: dict[str, bytes] = {}
        self.tasks: dict[str, str] = {}
        self.ann = Visitor(provider.portal_url)
        self.programs = httpx.Client(base_url=provider.portal_url, trust_env=False, timeout=60)

    def keep(self, name: str, answer: httpx.Response, *statuses: int) -> httpx.Response:
        """Keep what an answer tells, headers too; it has one of the statuses."""
        assert answer.status_code in statuses, (name, answer.status_code, answer.text)
        headers = "\n".join(f"{key}: {value}" for key, value in answer.headers.items())
        self.told[f"answer {name}"] = f"{headers}\n\n".encode() + answer.content
        return answer

    def ask(self, path: str, token: str, **options: Any) -> httpx.Response:
        """Ask as a program does."""
        method = options.pop("method", "POST" if options else "GET")
        return self.programs.request(method, path, headers={"authorization": f"Bearer {token}"}, **options)

    def sign_in(self) -> None:
        """Sign Ann in, after an attempt that fails; keep all that is given out."""
        back = self.ann.walk(self.ann.start(), login="ann")
        self.secrets |= {f"its {name}": parse_qs(urlsplit(back).query)[name][0] for name in ("code", "state")}
        self.keep("forged state", self.ann.get(back.replace(self.secrets["its state"], self.secrets["state"])), 200)
        given = [message_of(self.ann.get(back).text)["answer"]["response"], self.ann.refresh().json()]
        self.keep("used code", self.ann.get(back), 200)
        for number, response in enumerate(given):
            token = response["backstageIdentity"]["token"]
            self.secrets |= {
                f"id token {number}": response["providerInfo"]["idToken"],
                f"access token {number}": response["providerInfo"]["accessToken"],
                f"identity token {number}": token,
                f"signature {number}": token.rpartition(".")[2],
            }
        self.secrets["session"] = self.ann.cookie

    @property
    def identity(self) -> str:
        """The token by which Ann's frontend asks."""
        return self.secrets["identity token 0"]

    def use_tokens(self) -> None:
        """Make a token, use it, lose it; use those of programs; try what is none."""
        made = self.ask(TOKENS, self.identity, json={"scopes": ["catalog:read"], "description": "mine"})
        assert made.status_code == 201, made.text
        token = self.secrets["api token"] = made.json()["token"]
        self.keep("list of tokens", self.ask(TOKENS, self.identity), 200)
        self.keep("allowed", self.ask("/api/catalog/entities?limit=1", token), 200)
        self.keep("beyond its scope", self.ask(TASKS, token, json={"templateRef": "lives", "values": {}}), 403)
        self.keep("revoke", self.ask(f"{TOKENS}/{made.json()['id']}", self.identity, method="DELETE"), 204)
        for name, text in {
            "revoked": token,
            "cut": token[:-1],
            "signature cut": self.identity[:-1],
            "bearer": self.secrets["bearer"],
        }.items():
            self.keep(name, self.ask("/api/catalog/entities", text), 401)
        login = httpx.BasicAuth("ann", self.secrets["basic"])
        self.keep("basic", self.programs.get("/api/catalog/entities", auth=login), 401)
        self.keep("program", self.ask("/api/catalog/entities?limit=1", self.secrets["program"]), 200)
        self.keep("program elsewhere", self.ask(TASKS, self.secrets["other program"]), 403)
        thief = Visitor(self.provider.portal_url)
        thief.cookie = f"{self.ann.cookie}x"
        self.keep("forged session", thief.get("/api/catalog/entities"), 401)
        thief.http.close()

    def hear(self) -> None:
        """Take deliveries of webhooks, good and bad."""
        for kind, name in (("github", "webhook"), ("gitlab", "plain webhook")):
            event = pushed(kind, "https://git.example.com/o/r")
            for which, status in ((name, 202), ("bad webhook", 403)):
                sent = signed(kind, *event, secret=self.secrets[which])
                answer = self.programs.post(f"/api/events/http/{kind}", headers=sent.headers, content=sent.body)
                self.keep(f"{which} of {kind}", answer, status)
                self.secrets |= {
                    f"proof of {which} {kind}": value.removeprefix("sha256=")
                    for header, value in sent.headers.items()
                    if header == "X-Hub-Signature-256"
                }

    def run_tasks(self, names: list[str]) -> None:
        """Run a task of each template to its end; those that wait, until they wait."""
        given = {name: self.secrets[name] for name in PARAMETERS}
        for name in names:
            body = {"templateRef": f"template:default/{name}", "values": {"a": 1}, "secrets": given}
            if name == "unfit":
                self.keep(
                    name, self.ask(TASKS, self.identity, json=body | {"secrets": {"plain": self.secrets[name]}}), 400
                )
                continue
            self.tasks[name] = self.keep(name, self.ask(TASKS, self.identity, json=body), 201).json()["id"]
        for name, task in self.tasks.items():
            wanted = ENDS.get(name, "failed")
            eventually(lambda: self.status(task) == wanted, f"the task {name} to be {wanted}")  # noqa: B023
        wrong = {
            "templateRef": "template:default/lives",
            "values": {},
            "secrets": {"a": {"b": self.secrets["no text"]}},
        }
        self.keep("secrets that are no texts", self.ask(TASKS, self.identity, json=wrong), 400)

    def status(self, task: str) -> str:
        return str(self.ask(f"{TASKS}/{task}", self.identity).json()["status"])

    def name_logins(self) -> None:
        """Register locations whose urls hold logins."""
        for target in self.logins():
            body = {"type": "url", "target": target}
            for query in ("?dryRun=true", ""):
                answer = self.ask(f"/api/catalog/locations{query}", self.identity, json=body)
                self.keep(f"location {target.partition(':')[0]}{query} {len(target)}", answer, 400)
            self.keep(
                f"analysis {len(target)}",
                self.ask("/api/catalog/analyze-location", self.identity, json={"location": body}),
                400,
            )

    def fill_in_forms(self) -> None:
        """Send what a person may type into pages: logins in addresses, secrets of a task."""
        page = self.ann.get("/register", headers={"accept": "text/html"}).text
        token = {"csrf_token": re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]}
        for number, target in enumerate(self.logins()):
            for path in ("/register", "/register/locations"):
                answer = self.ann.post(path, data=token | {"target": target})
                self.keep(f"form {path} {number}", answer, 422)
            self.keep(f"form with {number}", self.ann.get("/register", params={"target": target}), 303)
        typed = {f"{SECRET_PREFIX}{name}": self.secrets[name] for name in PARAMETERS}
        for name, action in (("lives", "again"), ("breaks", "retry")):
            answer = self.ann.post(f"/create/tasks/{self.tasks[name]}/{action}", data=token | typed)
            self.keep(f"form {action} of {name}", answer, 303)
            again = answer.headers["location"].rpartition("/")[2]
            eventually(lambda: self.status(again) == ENDS.get(name, "failed"), f"{name} once more")  # noqa: B023
            self.keep(f"page of {name} once more", self.ann.get(f"/create/tasks/{again}"), 200)

    def logins(self) -> list[str]:
        """Return urls with the login of a location."""
        host, word = urlsplit(self.provider.portal_url).netloc, self.secrets["location"]
        return [
            f"http://ann:{word}@{host}/o/r#main",
            f"https://{word}@git.example.com/o/r/blob/main/catalog-info.yaml",
            f"https://ann:{word}@git.example.com/file.yaml",
            f"https://ann:a/{word}@git.example.com/o/r",
            f"ssh://ann:{word}@git.example.com/o/r",
        ]

    def read_all(self) -> None:
        """Keep what is told to those who read."""
        for name, task in self.tasks.items():
            self.keep(f"task {name}", self.ask(f"{TASKS}/{task}", self.identity), 200)
            self.keep(f"events of {name}", self.ask(f"{TASKS}/{task}/events", self.identity), 200)
            for page in ("", "/log"):
                self.keep(f"page of {name}{page}", self.ann.get(f"/create/tasks/{task}{page}"), 200)
            if name != "waits":
                self.keep(f"stream of {name}", self.ask(f"{TASKS}/{task}/eventstream", self.identity), 200)
        for path in (
            TASKS,
            "/metrics",
            "/api/ownership/problems",
            "/api/catalog/entities",
            "/api/catalog/locations",
            "/api/catalog/changes?since=0",
            "/api/audit",
            "/api/search/query?term=x",
        ):
            self.keep(path, self.ask(path, self.identity), 200)
        for page in PAGES:
            self.keep(f"page {page}", self.ann.get(page, headers={"accept": "text/html"}), 200)
