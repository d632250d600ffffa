"""A feature store in a folder of the test's own, with the sample as its source."""

import os
from datetime import UTC, datetime, timedelta

import pytest

os.environ["FEAST_USAGE"] = "False"  # nothing is told to anybody while tests run

from feast import FeatureStore, FileSource
from feast.repo_config import RegistryConfig, RepoConfig

from feature_repo import definitions
from feature_repo.sample import sample

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]


@pytest.fixture(scope="session")
def rows():
    return sample(DAYS)


@pytest.fixture(scope="session")
def store(tmp_path_factory, rows):
    """Feast with what the definitions say, on SQLite whatever feature_store.yaml names."""
    folder = tmp_path_factory.mktemp("store")
    path = folder / "features.parquet"
    rows.to_parquet(path)
    view = definitions.view
    view.batch_source = FileSource(
        name=definitions.source.name, path=str(path), timestamp_field=definitions.source.timestamp_field
    )
    config = RepoConfig(
        project="tests",
        provider="local",
        registry=RegistryConfig(path=str(folder / "registry.db")),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    opened = FeatureStore(config=config)
    opened.apply([definitions.key, view, definitions.service])
    if definitions.DESCRIBED["isOnline"]:
        opened.materialize(DAYS[0] - timedelta(days=1), DAYS[-1] + timedelta(hours=1))
    return opened
