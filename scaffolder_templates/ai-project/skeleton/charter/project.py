"""Reads what catalog-info.yaml says of the project, and what has been measured since."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Kpi:
    """A number that shows whether the goal comes nearer."""

    name: str
    baseline: float
    target: float
    unit: str = ""

    def reached(self, value: float) -> float:
        """Return which part of the way a value stands for: 0 is the baseline, 1 the target."""
        return (value - self.baseline) / (self.target - self.baseline)


@dataclass(frozen=True)
class Project:
    """The project: its goal, its time, what it is measured by."""

    name: str
    title: str
    goal: str
    owner: str
    starts: date
    ends: date
    kpis: tuple[Kpi, ...]


@dataclass(frozen=True)
class Measurement:
    """What a KPI was on a day."""

    day: date
    kpi: str
    value: float


@dataclass(frozen=True)
class Milestone:
    """What is to be there on a day."""

    due: date
    name: str


def read_project(path: Path = ROOT / "catalog-info.yaml") -> Project:
    """Return the project of a catalog file."""
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    told: dict[str, Any] = next(document for document in documents if document["kind"] == "Project")
    metadata, spec = told["metadata"], told["spec"]
    return Project(
        name=metadata["name"],
        title=metadata.get("title", metadata["name"]),
        goal=spec["goal"],
        owner=spec["owner"],
        starts=date.fromisoformat(str(spec["starts"])),
        ends=date.fromisoformat(str(spec["ends"])),
        kpis=tuple(Kpi(**kpi) for kpi in spec["kpis"]),
    )


def read_measurements(path: Path = ROOT / "measurements.csv") -> list[Measurement]:
    """Return what has been measured, oldest first."""
    return sorted(
        (Measurement(date.fromisoformat(row["day"]), row["kpi"], float(row["value"])) for row in _rows(path)),
        key=lambda measurement: measurement.day,
    )


def read_milestones(path: Path = ROOT / "milestones.csv") -> list[Milestone]:
    """Return the milestones, the first one first."""
    return sorted(
        (Milestone(date.fromisoformat(row["due"]), row["name"]) for row in _rows(path)), key=lambda item: item.due
    )


def faults(project: Project, measurements: list[Measurement], milestones: list[Milestone]) -> list[str]:
    """Return a sentence for each thing that does not fit together."""
    found = []
    if project.starts >= project.ends:
        found.append(f"the project ends on {project.ends}, before it starts on {project.starts}")
    known = [kpi.name for kpi in project.kpis]
    found += [f"{name} is there twice" for name in sorted(set(known)) if known.count(name) > 1]
    found += [f"{kpi.name}: the target is what it is today" for kpi in project.kpis if kpi.baseline == kpi.target]
    found += [f"{item.day}: {item.kpi} is no KPI of the project" for item in measurements if item.kpi not in known]
    found += [
        f"{item.name} is due on {item.due}, outside the project's time"
        for item in milestones
        if not project.starts <= item.due <= project.ends
    ]
    return found


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
