from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from catalogs import documents, entity, group
from identity_providers import Provider, Visitor, portal_at, provider_for
from servers import free_port

from portal.app import Portal

CAROL = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: carol, annotations: {portal/corp-subject: Carol-7}}
spec: {memberOf: [company]}
"""
ORGANISATION = documents(
    group("company"),
    group("team-a", more="parent: company"),
    entity("User", "ann-a", "memberOf: [team-a], profile: {email: ann@EXAMPLE.com}"),
    entity("User", "bob", "memberOf: []"),
    CAROL,
    entity("User", "one", "memberOf: [], profile: {email: twice@example.com}"),
    entity("User", "two", "memberOf: [], profile: {email: twice@example.com}"),
)
Start = Callable[..., Portal]


@pytest.fixture(scope="session")
def portal_url() -> str:
    """Where Portal is served, in one test after the other: the provider must know it."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="session")
def provider(portal_url: str) -> Iterator[Provider]:
    """The provider of all tests."""
    with provider_for(portal_url) as found:
        yield found


@contextmanager
def _serving(provider: Provider, folder: Path, database: str) -> Iterator[Start]:
    """Allow to serve a Portal with an organisation; settings may be changed."""
    with ExitStack() as opened:

        def serve(providers: list[dict[str, Any]] | None = None, **more: Any) -> Portal:
            organisation = folder / "organisation"
            organisation.mkdir()
            (organisation / "catalog-info.yaml").write_text(ORGANISATION)
            port = int(provider.portal_url.rpartition(":")[2])
            known = [provider.settings()] if providers is None else providers
            more.setdefault("admins", ["user:default/ann-a"])
            portal = opened.enter_context(portal_at(port, folder=folder, database=database, providers=known, **more))
            portal.ingest([("file", str(organisation))])
            return portal

        yield serve


@pytest.fixture
def start(provider: Provider, tmp_path: Path, database_url: str) -> Iterator[Start]:
    """Serve a Portal with an organisation, on each database; settings may be changed."""
    with _serving(provider, tmp_path, database_url) as serve:
        yield serve


@pytest.fixture(scope="module")
def serve_at_once(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Serve a Portal with an organisation for all tests of a module."""
    folder = tmp_path_factory.mktemp("portal")
    with _serving(provider, folder, f"sqlite:///{folder / 'portal.db'}") as serve:
        yield serve


@pytest.fixture
def portal(start: Start) -> Portal:
    """A Portal that is served."""
    return start()


@pytest.fixture
def visit(portal_url: str) -> Iterator[Callable[[], Visitor]]:
    """Open a browser of somebody."""
    opened: list[Visitor] = []

    def make() -> Visitor:
        opened.append(Visitor(portal_url))
        return opened[-1]

    yield make
    for visitor in opened:
        visitor.http.close()
