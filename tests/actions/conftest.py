"""What the tests of actions share."""

from __future__ import annotations

import pytest
from acting import Runner, shipped

from portal.defaults.engine import build_engine


@pytest.fixture(scope="session")
def engine():
    with build_engine({}) as it:
        yield it


@pytest.fixture
def run(tmp_path):
    return Runner(tmp_path)


@pytest.fixture
def all_shipped(engine, tmp_path):
    return shipped(engine, tmp_path / "repositories")
