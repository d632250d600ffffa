"""Keeps with each run what it takes to repeat it."""

import hashlib
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import mlflow

from .settings import ENTITY, EXPERIMENT, tracking_uri


@contextmanager
def tracked_run(
    name: str, *, parameters: Mapping[str, Any], data: Sequence[Path] = (), seed: int | None = None
) -> Iterator[mlflow.ActiveRun]:
    """Open a run of the experiment; log metrics and artifacts to it with `mlflow` as usual.

    Kept with it are the parameters, the seed, the commit and whether something was changed since, the digests of the
    `data` files, and the versions of all packages. A run that fails is kept as failed.
    """
    mlflow.set_tracking_uri(tracking_uri())
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=name) as run:
        mlflow.log_params({**parameters, **({} if seed is None else {"seed": seed})})
        mlflow.set_tags({"entity": ENTITY, "python": platform.python_version(), **_code(), **_data(data)})
        mlflow.log_text(_packages(), "environment.txt")
        yield run


def _code() -> dict[str, str]:
    commit = _git("rev-parse", "HEAD")
    return {"code.commit": commit or "unknown", "code.changed": str(not commit or bool(_git("status", "--porcelain")))}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except OSError:  # no git here, as in a container: the run is kept all the same
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _data(paths: Sequence[Path]) -> dict[str, str]:
    found = {}
    for path in paths:
        with path.open("rb") as file:
            found[f"data.{path.name}"] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _packages() -> str:
    return "".join(sorted(f"{found.metadata['Name']}=={found.version}\n" for found in distributions()))
