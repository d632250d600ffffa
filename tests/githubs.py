"""GitHub on this machine, as its published OpenAPI description has it: npm's `@octokit/openapi`, served by Prism.

Prism checks every request against the description, and makes every answer from it. What is there (repositories, teams,
pull requests) is kept here and written over these answers; the repositories are real ones of git.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
from nacl.public import PrivateKey, SealedBox
from npm import NODE, install
from servers import free_port
from webservers import HostHandler, serve_git, serving_host

FOLDER = Path(__file__).parent / "github"
TOKEN = "ghp-a-token-of-a-test-0123456789"
#: Of a thousand paths those that Portal asks: Prism reads them in a second instead of a minute.
_PATHS = (
    "/user",
    "/users/{username}",
    "/user/repos",
    "/orgs/{org}/repos",
    "/orgs/{org}/teams/{team_slug}",
    "/orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/collaborators/{username}",
    "/repos/{owner}/{repo}/topics",
    "/repos/{owner}/{repo}/subscription",
    "/repos/{owner}/{repo}/actions/variables",
    "/repos/{owner}/{repo}/actions/variables/{name}",
    "/repos/{owner}/{repo}/actions/secrets/public-key",
    "/repos/{owner}/{repo}/actions/secrets/{secret_name}",
    "/repos/{owner}/{repo}/actions/oidc/customization/sub",
    "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches",
    "/repos/{owner}/{repo}/branches/{branch}/protection",
    "/repos/{owner}/{repo}/branches/{branch}/protection/required_signatures",
    "/repos/{owner}/{repo}/pulls",
    "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
    "/repos/{owner}/{repo}/issues/{issue_number}/assignees",
)
Answer = tuple[int, Any]


@dataclass
class Asked:
    """A request for the API."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class GitHub:
    """A GitHub with one organisation, `acme`, and the user `ann`, whose token is `TOKEN`.

    `faults` are what Prism complains of. `before` is called with each request, and may answer it in GitHub's place;
    `refused` are the statuses with which the next requests of git are answered.
    """

    root: Path
    prism: str
    port: int = 0
    teams: set[str] = field(default_factory=lambda: {"mlops", "data"})
    users: set[str] = field(default_factory=lambda: {"ann", "bob"})
    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    key: PrivateKey = field(default_factory=PrivateKey.generate)
    before: Callable[[Asked], Answer | None] = lambda _asked: None
    refused: list[int] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host as it stands in urls."""
        return f"127.0.0.1:{self.port}"

    def lines(self, *methods: str) -> list[str]:
        """Return what was asked by some methods."""
        return [str(asked) for asked in self.asked if asked.method in methods]

    def add(self, name: str, description: str = "") -> dict[str, Any]:
        """Make a repository, empty as a new one is."""
        bare = self.root / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
        page = f"http://{self.host}/{name}"
        made = {
            "name": name.partition("/")[2],
            "full_name": name,
            "description": description,
            "default_branch": "main",
            "html_url": page,
            "clone_url": f"{page}.git",
        }
        self.repositories[name.lower()] = made
        return made

    def git(self, name: str, *arguments: str) -> str:
        """Run git in a repository and return what it printed."""
        return subprocess.run(
            ["git", *arguments], cwd=self.root / f"{name}.git", check=True, capture_output=True, text=True
        ).stdout.strip()

    def branches(self, name: str) -> list[str]:
        """Return the branches of a repository."""
        return self.git(name, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()

    def secret(self, name: str) -> str:
        """Return a secret that was sealed for this GitHub."""
        return SealedBox(self.key).decrypt(base64.b64decode(self.kept[name]["encrypted_value"])).decode()

    def answer(self, asked: Asked) -> Answer:
        """Return the status of an answer, with what is written over the one that Prism makes."""
        for pattern, answering in _ROUTES:
            found = re.fullmatch(pattern, f"{asked.method} {asked.path}")
            if found:
                return answering(self, asked, *map(unquote, found.groups()))
        return 404, {"message": "Not Found"}


def _repository(hub: GitHub, asked: Asked, name: str) -> Answer:
    found = hub.repositories.get(name.lower())
    if found is None:
        return 404, {"message": "Not Found"}
    if asked.method == "PATCH":
        found.update(asked.body)
    return 200, found


def _new(hub: GitHub, asked: Asked, owner: str = "ann") -> Answer:
    name = f"{owner}/{asked.body['name']}"
    if name.lower() in hub.repositories:
        errors = [{"resource": "Repository", "code": "custom", "field": "name", "message": "name already exists"}]
        return 422, {"message": "Repository creation failed.", "errors": errors}
    return 201, hub.add(name, asked.body["description"])


def _user(hub: GitHub, _asked: Asked, name: str = "ann") -> Answer:
    if name == "acme":
        return 200, {"login": name, "type": "Organization"}
    return (200, {"login": name, "type": "User"}) if name in hub.users else (404, {"message": "Not Found"})


def _team(hub: GitHub, _asked: Asked, name: str) -> Answer:
    return (200, {"slug": name}) if name in hub.teams else (404, {"message": "Not Found"})


def _kept(status: int) -> Callable[..., Answer]:
    """Answer by keeping the body under what is the last part of the path."""

    def keep(hub: GitHub, asked: Asked, *parts: str) -> Answer:
        hub.kept[parts[-1]] = asked.body
        return status, asked.body if status == 200 else None

    return keep


def _collaborator(hub: GitHub, asked: Asked, name: str) -> Answer:
    if name not in hub.users:
        return 422, {"message": "Could not resolve to a User", "errors": []}
    hub.kept[name] = asked.body
    return 204, None


def _variable(hub: GitHub, asked: Asked) -> Answer:
    hub.kept[asked.body["name"]] = asked.body["value"]
    return 201, {}


def _public_key(hub: GitHub, _asked: Asked) -> Answer:
    return 200, {"key_id": "1", "key": base64.b64encode(bytes(hub.key.public_key)).decode()}


def _protection(hub: GitHub, asked: Asked, name: str, branch: str) -> Answer:
    if branch not in hub.branches(name):
        return 404, {"message": "Branch not found"}
    hub.kept["protection"] = asked.body
    return 200, {}


def _pulls(hub: GitHub, asked: Asked, name: str) -> Answer:
    if asked.method == "GET":
        wanted = (asked.query["head"].partition(":")[2], asked.query["base"])
        return 200, [pull for pull in hub.pulls if (pull["head"]["ref"], pull["base"]["ref"]) == wanted]
    number = len(hub.pulls) + 1
    pull = {
        **{key: asked.body[key] for key in ("title", "body", "draft")},
        "number": number,
        "html_url": f"http://{hub.host}/{name}/pull/{number}",
        "head": {"ref": asked.body["head"]},
        "base": {"ref": asked.body["base"]},
    }
    hub.pulls.append(pull)
    return 201, pull


def _dispatch(hub: GitHub, asked: Asked, workflow: str) -> Answer:
    hub.kept[workflow] = asked.body
    if not asked.body.get("return_run_details"):
        return 204, None
    return 200, {"workflow_run_id": 7, "run_url": "https://api/7", "html_url": "https://page/7"}


_REPO = r"/repos/([^/]+/[^/]+)"
_ANY = r"/repos/[^/]+/[^/]+"
_ROUTES: tuple[tuple[str, Callable[..., Answer]], ...] = (
    (r"GET /user", _user),
    (r"GET /users/([^/]+)", _user),
    (r"POST /user/repos", _new),
    (r"POST /orgs/([^/]+)/repos", _new),
    (r"GET /orgs/acme/teams/([^/]+)", _team),
    (rf"PUT /orgs/acme/teams/([^/]+){_ANY}", _kept(204)),
    (rf"(?:GET|PATCH) {_REPO}", _repository),
    (rf"PUT {_ANY}/collaborators/([^/]+)", _collaborator),
    (rf"PUT {_ANY}/(topics|subscription)", _kept(200)),
    (rf"POST {_ANY}/actions/variables", _variable),
    (rf"GET {_ANY}/actions/secrets/public-key", _public_key),
    (rf"PUT {_ANY}/actions/secrets/([^/]+)", _kept(201)),
    (rf"PUT {_ANY}/actions/oidc/customization/(sub)", _kept(201)),
    (rf"POST {_ANY}/actions/workflows/([^/]+)/dispatches", _dispatch),
    (rf"PUT {_REPO}/branches/([^/]+)/protection", _protection),
    (rf"POST {_ANY}/branches/[^/]+/protection/(required_signatures)", _kept(200)),
    (rf"(?:GET|POST) {_REPO}/pulls", _pulls),
    (rf"POST {_ANY}/pulls/[^/]+/(requested_reviewers)", _kept(201)),
    (rf"POST {_ANY}/issues/[^/]+/(assignees)", _kept(201)),
)


@contextmanager
def prism_for(folder: Path) -> Iterator[str]:
    """Serve the description by Prism, which refuses what does not follow it."""
    install(FOLDER)
    file = folder / "github.json"
    file.write_text(json.dumps(_description()))
    port = free_port()
    program = FOLDER / "node_modules/@stoplight/prism-cli/dist/index.js"
    arguments = ["mock", str(file), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen([str(NODE), str(program), *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = ""
            while "is listening" not in told:
                line = process.stdout.readline()
                assert line, told
                told += line
            # What it goes on to print must be read, or it waits for that.
            with subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL):
                yield f"http://127.0.0.1:{port}"
                process.terminate()
        finally:
            process.terminate()


@contextmanager
def github_at(root: Path, prism: str) -> Iterator[GitHub]:
    """Serve a GitHub whose repositories are below a folder, and check at the end that all was asked as it has to be."""
    hub = GitHub(root, prism)
    one_at_a_time = threading.Lock()

    class Handler(HostHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            if not parts.path.startswith("/api/v3/"):
                self._git(parts.path)
                return
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = Asked(
                self.command,
                parts.path.removeprefix("/api/v3"),
                {name: values[0] for name, values in parse_qs(parts.query).items()},
                json.loads(body) if body else None,
            )
            hub.asked.append(asked)
            if self.headers["authorization"] != f"Bearer {TOKEN}":
                self.send_json(401, {"message": "Bad credentials"})
                return
            instead = hub.before(asked)
            if instead is not None:
                self.send_json(*instead)
                return
            with one_at_a_time:
                status, over = hub.answer(asked)
            self.send_json(status, self._checked(asked, parts.query, status, over, body))

        do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815  # the names that the server looks for

        def _checked(self, asked: Asked, query: str, status: int, over: Any, body: bytes) -> Any:
            """Return Prism's answer with what is written over it; note what it has to complain of."""
            answer = httpx.request(
                asked.method,
                f"{hub.prism}{asked.path}{'?' if query else ''}{query}",
                content=body,
                headers={"prefer": f"code={status}", "content-type": "application/json", "accept": "application/json"},
                timeout=60,
            )
            told = json.loads(answer.headers.get("sl-violations", "[]"))
            # The examples of some answers lack what their own schema wants: that is GitHub's to mend.
            wrong = [fault for fault in told if fault["location"][0] == "request"]
            if answer.status_code != status or wrong:
                hub.faults.append(f"{asked} {asked.body}: {answer.status_code} {wrong or answer.text}")
                return over
            made = answer.json() if answer.content.strip() else None
            return made | over if isinstance(made, dict) and isinstance(over, dict) else over

        def _git(self, path: str) -> None:
            login = base64.b64decode(self.headers.get("authorization", "").removeprefix("Basic ")).decode()
            status = 0 if login.partition(":")[2] == TOKEN else 401
            if not status and hub.refused:
                status = hub.refused.pop(0)
            if status:
                self.refuse_git(status)
                return
            # Portal reads by the url of the page, which has no ".git".
            serve_git(self, hub.root, re.sub(r"^(/[^/]+/[^/]+?)(?:\.git)?/", r"\1.git/", path), user="ann")

    with serving_host(Handler, hub):
        yield hub


def _description() -> dict[str, Any]:
    """Return GitHub's description of the paths that are asked, with all that they refer to."""
    whole = json.loads((FOLDER / "node_modules/@octokit/openapi/generated/api.github.com.json").read_text())
    made = {**whole, "paths": {path: whole["paths"][path] for path in _PATHS}, "components": {}}
    made.pop("x-webhooks", None)
    made.pop("webhooks", None)
    wanted = _referred(made["paths"])
    known: set[str] = set()
    while wanted:
        reference = wanted.pop()
        known.add(reference)
        _, _, kind, name = reference.split("/", 3)
        found = whole["components"][kind][name]
        made["components"].setdefault(kind, {})[name] = found
        wanted |= _referred(found) - known
    return made


def _referred(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(_referred, value.values()))
    return set().union(*map(_referred, value)) if isinstance(value, list) else set()
