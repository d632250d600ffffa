"""Training gets values as they were then, requests get the newest."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
import yaml
from feast.repo_config import load_repo_config

from feature_repo.definitions import DESCRIBED, FOLDER, service
from feature_repo.sample import keys

KEY, TIME = DESCRIBED["key"]["name"], DESCRIBED["timestamp"]
NAMES = [feature["name"] for feature in DESCRIBED["features"]]


def asked_at(moment):
    return pd.DataFrame({KEY: keys(), TIME: [moment] * len(keys())})


def by_key(frame):
    return frame.sort_values(KEY).reset_index(drop=True)[NAMES]


def history(store, moment):
    found = store.get_historical_features(entity_df=asked_at(moment), features=service).to_df()
    return by_key(found)


def test_the_repository_is_one_that_feast_reads():
    config = load_repo_config(FOLDER, FOLDER / "feature_store.yaml")
    catalog = yaml.safe_load((FOLDER.parent / "catalog-info.yaml").read_text(encoding="utf-8"))

    assert config.project == DESCRIBED["name"] == catalog["metadata"]["name"].replace("-", "_")
    assert catalog["spec"]["owner"] == DESCRIBED["owner"]


def test_training_sees_the_values_of_its_moment_and_none_of_later(store, rows):
    then = datetime(2026, 1, 2, 12, tzinfo=UTC)
    expected = by_key(rows[rows[TIME] == datetime(2026, 1, 2, tzinfo=UTC)])

    assert history(store, then).to_dict("records") == expected.to_dict("records")


def test_a_value_that_is_too_old_is_missing(store):
    late = datetime(2026, 1, 3, tzinfo=UTC) + timedelta(days=DESCRIBED["daysValid"] + 1)

    assert history(store, late).isna().all(axis=None)


@pytest.mark.skipif(not DESCRIBED["isOnline"], reason="the feature set is not served for requests")
def test_a_request_gets_the_newest_values(store, rows):
    found = store.get_online_features(features=service, entity_rows=[{KEY: key} for key in keys()]).to_dict()
    newest = rows[rows[TIME] == rows[TIME].max()].sort_values(KEY)

    for name in NAMES:
        assert found[name] == pytest.approx(newest[name].tolist())
