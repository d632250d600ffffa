"""What a git host has, asked of servers that answer as the hosts' API descriptions say."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from portal.errors import InputError, NotFoundError, ServiceUnavailableError
from portal.model.integration import Integration, Integrations
from portal.model.secret import Secret
from portal.services.autocomplete import RESOURCES, Autocomplete

TOKEN = "person-token"


class Host:
    """A host whose `lists` (path to items) come in pages of two; `asked` are the requests that it got."""

    def __init__(self):
        self.lists = {}
        self.ones = {}
        self.asked = []
        self.status = 200
        self.elsewhere = False
        self.is_bitbucket = False
        self.port = 0

    @property
    def name(self):
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def host():
    found = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            found.asked.append((parts.path, query))
            good = self.headers["authorization"] == f"Bearer {TOKEN}"
            status = found.status if good else 401
            headers, body = {}, {"message": "x"}
            if status == 200 and parts.path in found.ones:
                body = found.ones[parts.path]
            elif status == 200 and parts.path in found.lists:
                page = int(query.get("page", 1))
                items = found.lists[parts.path]
                body = items[(page - 1) * 2 : page * 2]
                where = "http://127.0.0.1:1" if found.elsewhere else f"http://{found.name}"
                more = {**query, "page": str(page + 1)}
                following = f"{where}{parts.path}?" + "&".join(f"{name}={value}" for name, value in more.items())
                has_more = len(items) > page * 2
                if found.is_bitbucket:
                    body = {"values": body} | ({"next": following} if has_more else {})
                elif has_more:
                    headers["link"] = f'<{following}>; rel="next"'
            elif status == 200:
                status = 404
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def complete(host, provider, resource, token=TOKEN, **context):
    integration = Integration(host.name, provider, base_url=f"http://{host.name}")
    found = Autocomplete(Integrations([integration]))
    return found.complete(provider, resource, token=Secret(token), context={"host": host.name, **context})


def test_github(host):
    host.ones["/api/v3/user"] = {"login": "ann"}
    host.lists["/api/v3/user/orgs"] = [{"login": name} for name in ("a", "b", "c")]
    host.lists["/api/v3/user/repos"] = [{"full_name": f"a/{name}"} for name in "xyz"]
    host.lists["/api/v3/repos/a/x/branches"] = [{"name": "main"}, {"name": "feature/one"}]
    assert complete(host, "github", "owners") == [{"id": name} for name in ("a", "b", "c", "ann")]
    assert complete(host, "github", "repositoriesWithOwner") == [{"id": "a/x"}, {"id": "a/y"}, {"id": "a/z"}]
    assert complete(host, "github", "branches", owner="a", repository="x") == [{"id": "main"}, {"id": "feature/one"}]
    assert host.asked[0] == ("/api/v3/user/orgs", {"per_page": "100"})
    with pytest.raises(InputError, match="Missing owner"):
        complete(host, "github", "branches", repository="x")


def test_gitlab(host):
    host.ones["/api/v4/user"] = {"id": 7, "username": "ann"}
    host.lists["/api/v4/groups"] = [{"id": number, "full_path": f"g/{number}"} for number in range(3)]
    host.lists["/api/v4/groups/1/projects"] = [{"id": 5, "name": " spaced "}]
    host.lists["/api/v4/users/7/projects"] = [{"id": 6, "name": "mine"}]
    assert complete(host, "gitlab", "groups") == [
        {"id": "0", "title": "g/0"},
        {"id": "1", "title": "g/1"},
        {"id": "2", "title": "g/2"},
        {"id": "7", "title": "ann"},
    ]
    assert complete(host, "gitlab", "repositories", id="1") == [{"id": "5", "title": "spaced"}]
    assert complete(host, "gitlab", "repositories", id="7") == [{"id": "6", "title": "mine"}]


def test_bitbucket(host):
    host.is_bitbucket = True
    host.lists["/2.0/workspaces"] = [{"slug": name} for name in "abc"]
    host.lists["/2.0/workspaces/a/projects"] = [{"key": "P"}]
    host.lists["/2.0/repositories/a"] = [{"slug": "r"}]
    host.lists["/2.0/repositories/a/r/refs/branches"] = [{"name": "main"}]
    assert complete(host, "bitbucketCloud", "workspaces") == [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    assert complete(host, "bitbucketCloud", "projects", workspace="a") == [{"id": "P"}]
    assert complete(host, "bitbucketCloud", "repositories", workspace="a", project='P" OR "') == [{"id": "r"}]
    assert host.asked[-1][1]["q"] == 'project.key="P\\" OR \\""'
    assert complete(host, "bitbucketCloud", "branches", workspace="a", repository="r") == [{"id": "main"}]


def test_a_name_does_not_lead_to_another_path(host):
    host.lists["/api/v3/user/repos"] = [{"full_name": "a/x", "name": "leak"}]
    with pytest.raises(NotFoundError):
        complete(host, "github", "branches", owner="../user/repos?x=", repository="#")
    assert host.asked == [("/api/v3/repos/..%2Fuser%2Frepos%3Fx%3D/%23/branches", {"per_page": "100"})]
    with pytest.raises(InputError, match=r'found the name "\.\."'):
        complete(host, "github", "branches", owner="..", repository="user")


def test_the_token_goes_nowhere_else(host):
    host.elsewhere = True
    host.lists["/api/v3/user/repos"] = [{"full_name": f"a/{name}"} for name in "xyz"]
    with pytest.raises(ServiceUnavailableError, match="names a page elsewhere"):
        complete(host, "github", "repositoriesWithOwner")


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, InputError, "403"),
        (500, ServiceUnavailableError, "500"),
        (302, ServiceUnavailableError, "302"),
        (429, ServiceUnavailableError, "try again in a minute"),
    ],
)
def test_what_a_host_refuses_is_told_without_the_token(host, status, error, words):
    host.status = status
    with pytest.raises(error, match=words) as told:
        complete(host, "github", "repositoriesWithOwner")
    assert TOKEN not in str(told.value)


def test_a_wrong_token_is_told(host):
    with pytest.raises(InputError, match="refuses the token with 401") as told:
        complete(host, "github", "repositoriesWithOwner", token="wrong-token")
    assert "wrong-token" not in str(told.value)


@pytest.mark.parametrize("items", [[{"odd": 1}], [5], ["text"]])
def test_an_answer_that_is_none_is_told(host, items):
    host.lists["/api/v3/user/repos"] = items
    with pytest.raises(ServiceUnavailableError, match="something else"):
        complete(host, "github", "repositoriesWithOwner")


def test_hosts_that_nobody_named_are_not_asked(host):
    found = Autocomplete(Integrations([Integration(host.name, "github", base_url=f"http://{host.name}")]))
    with pytest.raises(InputError, match="No integration of the type gitlab"):
        found.complete("gitlab", "groups", token=Secret(TOKEN), context={"host": host.name})
    with pytest.raises(InputError, match="Unsupported provider"):
        complete(host, "azure", "branches")
    with pytest.raises(InputError, match="Invalid resource"):
        complete(host, "github", "workspaces")
    assert host.asked == []


@pytest.mark.parametrize("token", ["a\r\nx: y", "ümläut", ""])
def test_tokens_that_no_header_takes_are_refused(host, token):
    with pytest.raises(InputError):
        complete(host, "github", "owners", token=token)


def test_a_host_that_does_not_answer_is_told(host):
    found = Autocomplete(Integrations([Integration("127.0.0.1:1", "github", base_url="http://127.0.0.1:1")]))
    with pytest.raises(ServiceUnavailableError, match="does not answer"):
        found.complete("github", "owners", token=Secret(TOKEN), context={"host": "127.0.0.1:1"})


def test_every_provider_has_its_resources():
    assert {provider: sorted(found) for provider, found in RESOURCES.items()} == {
        "github": ["branches", "owners", "repositoriesWithOwner"],
        "gitlab": ["groups", "repositories"],
        "bitbucketCloud": ["branches", "projects", "repositories", "workspaces"],
    }
