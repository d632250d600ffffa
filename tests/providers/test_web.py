"""Files of web servers, real ones on loopback."""

from collections.abc import Iterator

import pytest
from webservers import WebServer

from portal.errors import NotAllowedError, SourceUnreachableError
from portal.model.location import Tree
from portal.model.reading import ReadingRules
from portal.providers.contract import Listing
from portal.providers.web import WebProvider

LIMIT = 1000


@pytest.fixture
def provider(web: WebServer) -> Iterator[WebProvider]:
    """A provider that may read the server."""
    made = WebProvider(ReadingRules([web.host]), size_limit_bytes=LIMIT, timeout_seconds=5)
    yield made
    made.close()


def _listing(provider: WebProvider, url: str) -> Listing:
    tree = Tree("web", url)
    found = provider.listings([tree])[tree]
    assert isinstance(found, Listing)
    return found


def test_a_file_is_the_only_one_of_its_tree(provider: WebProvider, web: WebServer) -> None:
    web.pages = {"/a.yaml": b"a: 1\n"}

    listing = _listing(provider, web.url("/a.yaml"))

    assert list(listing.files) == [""]
    assert provider.read(listing, [""], size_limit_bytes=LIMIT) == {"": b"a: 1\n"}
    assert provider.commits([listing.tree]) == {listing.tree: listing.commit}
    assert web.asked == [("/a.yaml", 200), ("/a.yaml", 304)]


def test_a_changed_file_is_another(provider: WebProvider, web: WebServer) -> None:
    web.pages = {"/a.yaml": b"a: 1\n"}
    first = _listing(provider, web.url("/a.yaml"))
    web.pages = {"/a.yaml": b"a: 2\n"}

    assert provider.commits([first.tree])[first.tree] != first.commit


def test_a_file_that_is_not_there_is_no_failure(provider: WebProvider, web: WebServer) -> None:
    listing = _listing(provider, web.url("/gone.yaml"))

    assert listing.files == {}
    assert listing.commit


def test_a_file_above_the_limit_tells_its_size_alone(provider: WebProvider, web: WebServer) -> None:
    web.pages = {"/a.yaml": b"x" * (LIMIT + 500_000)}

    listing = _listing(provider, web.url("/a.yaml"))

    assert provider.read(listing, [""], size_limit_bytes=LIMIT) == {"": LIMIT + 500_000}


def test_redirects_are_followed_where_they_lead_to_hosts_that_are_named(provider: WebProvider, web: WebServer) -> None:
    web.pages = {"/a.yaml": "/b.yaml", "/b.yaml": b"b: 1\n"}

    listing = _listing(provider, web.url("/a.yaml"))

    assert provider.read(listing, [""], size_limit_bytes=LIMIT) == {"": b"b: 1\n"}


@pytest.mark.parametrize(
    "there",
    ["http://169.254.169.254/latest/meta-data", "http://localhost:1/a", "file:///etc/passwd", "//example.com/a"],
)
def test_a_redirect_leads_nowhere_else(there: str, provider: WebProvider, web: WebServer) -> None:
    web.pages = {"/a.yaml": there}
    tree = Tree("web", web.url("/a.yaml"))

    assert isinstance(provider.listings([tree])[tree], NotAllowedError)


def test_redirects_in_a_circle_end(provider: WebProvider, web: WebServer) -> None:
    web.pages = {"/a.yaml": "/a.yaml"}
    tree = Tree("web", web.url("/a.yaml"))

    assert isinstance(provider.listings([tree])[tree], SourceUnreachableError)


def test_the_name_of_a_host_does_not_open_a_private_address(web: WebServer) -> None:
    web.pages = {"/a.yaml": b"a: 1\n"}
    name = f"localhost:{web.port}"
    tree = Tree("web", f"http://{name}/a.yaml")

    closed = WebProvider(ReadingRules([name]), size_limit_bytes=LIMIT)
    opened = WebProvider(ReadingRules([name, "127.0.0.0/8"]), size_limit_bytes=LIMIT)

    refused = closed.listings([tree])[tree]
    assert isinstance(refused, NotAllowedError)
    assert "private address" in refused.message
    assert isinstance(opened.listings([tree])[tree], Listing)
    assert web.asked == [("/a.yaml", 200)]
    closed.close()
    opened.close()


def test_a_host_that_does_not_answer_is_told_without_the_query_of_its_url(web: WebServer) -> None:
    made = WebProvider(ReadingRules(["127.0.0.1:1"]), size_limit_bytes=LIMIT)
    tree = Tree("web", "http://127.0.0.1:1/a.yaml?token=s3cret")

    found = made.commits([tree])[tree]

    assert isinstance(found, SourceUnreachableError)
    assert "s3cret" not in found.message
    made.close()
