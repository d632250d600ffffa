from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from portal.config import load_settings, make_data_folder


def _with(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def _data(here: Path, monkeypatch: pytest.MonkeyPatch, **overrides: str) -> Path:
    here.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(here)
    return load_settings(environment={}, overrides=overrides).data


def test_it_is_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with(tmp_path, ".portal/instance.key")

    assert _data(tmp_path, monkeypatch) == tmp_path / ".portal"
    assert _data(tmp_path / "below", monkeypatch) == tmp_path / "below" / ".portal"


@pytest.mark.parametrize("own", ["instance.key", "portal.db"])
def test_a_generated_repository_has_that_of_the_nearest_folder_above(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _with(tmp_path / "code" / "made", ".portal/answers.yaml")
    assert _data(made, monkeypatch) == made / ".portal"
    _with(tmp_path, f".portal/{own}")

    assert _data(made, monkeypatch) == tmp_path / ".portal"
    assert _data(made / "src", monkeypatch) == tmp_path / ".portal"
    assert _data(made, monkeypatch, data=".portal") == made / ".portal"
    # One that is used there already, as before it had a record.
    _with(made, f".portal/{own}")
    assert _data(made, monkeypatch) == made / ".portal"


def test_what_somebody_else_has_put_above_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _with(tmp_path / "made", ".portal/answers.yaml")
    _with(tmp_path, ".portal/instance.key")
    monkeypatch.setattr(os, "getuid", lambda: 12345)

    assert _data(made, monkeypatch) == made / ".portal"


def test_git_leaves_it_alone_but_for_the_record(tmp_path: Path) -> None:
    make_data_folder(_with(tmp_path, ".portal/answers.yaml") / ".portal")
    make_data_folder(_with(tmp_path, ".portal/instance.key", ".portal/mirrors/a") / ".portal")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)

    told = subprocess.run(
        ["git", "-C", tmp_path, "status", "--short", "--untracked-files=all"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout == "?? .portal/answers.yaml\n"


def test_a_folder_of_somebody_else_is_left_to_git(tmp_path: Path) -> None:
    make_data_folder(_with(tmp_path / "code", "tool.py"))
    make_data_folder(tmp_path / "code" / "data")

    assert not (tmp_path / "code" / ".gitignore").exists()
    assert (tmp_path / "code" / "data" / ".gitignore").exists()
