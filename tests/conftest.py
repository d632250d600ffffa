"""Fixtures that every test may use: both databases, isolated git, real repositories from a dict of paths."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test
from sqlalchemy import create_engine, make_url, text

from portal.store.database import Database
from portal.store.tables import metadata

pytest_plugins = ["browsers", "distributions", "repositories", "portals", "seen", "webservers"]


#: What these ask goes through services and store, whose own tests run on both databases each time.
_EDGES = frozenset({"access", "api", "attacks", "cli", "client", "conformance", "oidc", "web"})
#: What takes long there, and is tried with random histories, or by killing processes, on SQLite each time.
_LONG = frozenset(
    {"test_killed_ingest.py", "test_past.py", "test_history.py", "test_handovers.py", "test_dependencies.py"}
)


#: What installs half a gigabyte from npm, kills processes over and over, or opens page after page in a browser.
_SLOW = frozenset(
    {
        "github",
        "test_graph_browser.py",
        "test_home_browser.py",
        "test_killed_ingest.py",
        "test_openapi.py",
        "test_owners_browser.py",
        "test_patterns.py",
        "test_register_browser.py",
        "test_search_browser.py",
    }
)
#: Of these the one flow that all others stand on is tried each time.
_FLOWS = {"test_tasks_browser.py": "test_a_task_is_followed", "test_wizard_browser.py": "test_the_keyboard_alone"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave routes and commands on PostgreSQL, and what takes longest, to those who have minutes more."""
    here = Path(__file__).parent
    for item in items:
        flow = _FLOWS.get(item.path.name)
        if _SLOW & set(item.path.relative_to(here).parts) or (flow is not None and not item.name.startswith(flow)):
            item.add_marker(pytest.mark.slow)
        case = getattr(item, "callspec", None)
        if case is None or "postgresql" not in case.id:
            continue
        if item.path.relative_to(here).parts[0] in _EDGES or (item.path.name in _LONG and _is_long(item)):
            item.add_marker(pytest.mark.slow)


def _is_long(item: pytest.Item) -> bool:
    # The mark that hypothesis gives such tests may come later than this.
    return is_hypothesis_test(getattr(item, "obj", None)) or item.path.name == "test_killed_ingest.py"


@pytest.fixture(scope="session", autouse=True)
def _isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the person's own git settings, home and Portal settings out of the tests."""
    home = tmp_path_factory.mktemp("home")
    kept = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("GIT_", "PORTAL_")) and name not in {
            "PORTAL_CASES_DIR",
            "PORTAL_CORPUS_DIR",
            "PORTAL_TEST_POSTGRES_URL",
            "PORTAL_TEST_CHROMIUM",
        }:
            del os.environ[name]
    # Each command that a test runs would compile all modules anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.update(
        HOME=str(home),
        XDG_CONFIG_HOME=str(home / ".config"),
        XDG_CACHE_HOME=str(home / ".cache"),
        XDG_RUNTIME_DIR=str(home / ".runtime"),
        GIT_CONFIG_GLOBAL=str(home / ".gitconfig"),
        GIT_CONFIG_NOSYSTEM="1",
        GIT_AUTHOR_NAME="Ann Author",
        GIT_AUTHOR_EMAIL="ann@example.com",
        GIT_COMMITTER_NAME="Ann Author",
        GIT_COMMITTER_EMAIL="ann@example.com",
    )
    (home / ".runtime").mkdir(mode=0o700)
    (home / ".gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    yield
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The url of a PostgreSQL server's maintenance database: one that is named, or one started for the tests."""
    named = os.environ.get("PORTAL_TEST_POSTGRES_URL")
    if named:
        yield named
        return
    import pgserver  # noqa: PLC0415  # brings a whole server: only where no other is named

    # Not below pytest's own folder: the server runs as another user, whom a second pytest would lock out there.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        # What the tests write need not outlive a machine: a database is made and dropped in a third of the time.
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            server.psql(f"ALTER SYSTEM SET {setting} = off;")
        server.psql("SELECT pg_reload_conf();")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def _sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables in it: copying it takes a fiftieth of making them."""
    file = tmp_path_factory.mktemp("tables") / "portal.db"
    with Database(f"sqlite:///{file}") as made:
        metadata.create_all(made.engine)
    return file


@pytest.fixture(scope="session")
def _postgres_tables(postgres_url: str) -> Iterator[str]:
    """The name of a PostgreSQL database with the tables in it: a copy takes a fifth of making them."""
    with _postgres_database(postgres_url) as url:
        with Database(url) as made:
            metadata.create_all(made.engine)
        yield make_url(url).database or ""


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The url of an empty database, SQLite and PostgreSQL in turn; nothing is in it yet.

    For a test that asks for `database` too it has the tables.
    """
    with _new_database(request, tmp_path / "portal.db", has_tables="database" in request.fixturenames) as url:
        yield url


@pytest.fixture(params=["to sqlite", "to postgresql"])
def other_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The url of a second empty database, SQLite and PostgreSQL in turn."""
    with _new_database(request, tmp_path / "other.db") as url:
        yield url


@contextmanager
def _new_database(request: pytest.FixtureRequest, file: Path, *, has_tables: bool = False) -> Iterator[str]:
    if request.param.endswith("sqlite"):
        if has_tables:
            shutil.copyfile(request.getfixturevalue("_sqlite_tables"), file)
        yield f"sqlite:///{file}"
        return
    template = request.getfixturevalue("_postgres_tables") if has_tables else ""
    with _postgres_database(request.getfixturevalue("postgres_url"), template=template) as url:
        yield url


@contextmanager
def _postgres_database(server: str, *, template: str = "") -> Iterator[str]:
    """Make a database, as a copy of another one where that is named, and drop it at the end."""
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    copied = f' TEMPLATE "{template}"' if template else ""
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"{copied}'))
    url = engine.url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    yield url
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the schema in it, closed at the end."""
    with Database(database_url) as opened:
        yield opened
