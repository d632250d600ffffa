"""Keeps the runs of the tests away from those of the team."""

import pytest


@pytest.fixture(autouse=True)
def _own_store(tmp_path, monkeypatch):
    # Runs in files of this folder alone, whatever the environment names.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
