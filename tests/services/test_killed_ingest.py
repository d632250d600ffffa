"""A killed ingest leaves the catalog as it was before, or as it is after; nothing in between."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from catalogs import component, documents
from portals import Catalog
from repositories import MakeRepository
from sqlalchemy import select, text

from portal.store.database import Database
from portal.store.tables import metadata

_MOMENTS = 10
_FILES = 6
_REFRESH = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from portals import Catalog
from portal.store.database import Database
catalog = Catalog(Database({url!r}), Path({folder!r}))
print("ready", flush=True)
catalog.service.refresh()
"""


def _dump(database: Database) -> dict[str, Sequence[Any]]:
    """Return every row of the catalog's tables."""
    with database.reading() as connection:
        words = connection.execute(text("SELECT * FROM search_words"))
        return {"search_words": sorted(map(tuple, words), key=repr)} | {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if not table.name.startswith("task")
        }


def _files(number: int) -> dict[str, str]:
    """Return the files of a commit: entities come, go and change from one to the next."""
    found = {}
    for place in range(_FILES):
        names = [f"c-{place}-{item}" for item in range(40) if (item + number) % 5]
        found[f"part-{place}.yaml"] = documents(
            *(component(name, more=f"dependsOn: ['resource:r-{number}']") for name in names)
        )
    return found


def test_a_refresh_killed_at_any_moment_leaves_one_of_the_two_revisions_around_it(
    catalog: Catalog, database: Database, database_url: str, repo: MakeRepository, tmp_path: Path
) -> None:
    made = repo(_files(0))
    catalog.ingest(f"{made.url}#:*.yaml")
    script = _REFRESH.format(
        paths=[str(Path(__file__).parents[1]), str(Path(__file__).parents[2])], url=database_url, folder=str(tmp_path)
    )
    made.commit(_files(1))
    started = time.perf_counter()
    catalog.service.refresh()
    usual = time.perf_counter() - started
    chance = random.Random(7)
    survived = []
    for number in range(2, _MOMENTS + 2):
        before = _dump(database)
        made.commit(_files(number))
        process = subprocess.Popen([sys.executable, "-c", script], env=os.environ, stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            try:
                process.wait(timeout=chance.uniform(0, usual))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        after = _dump(database)

        catalog.service.refresh()

        complete = _dump(database)
        assert after in (before, complete)
        assert complete != before
        survived.append(after == before)
    assert any(survived)
