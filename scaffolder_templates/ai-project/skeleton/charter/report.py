"""Tells how far the project is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from charter.project import Measurement, Milestone, Project


def report(
    project: Project, measurements: Sequence[Measurement], milestones: Sequence[Milestone], *, today: date
) -> str:
    """Return a text on the project's goal, time, KPIs and milestones."""
    lines = [project.title, f"Goal: {project.goal}", f"Owner: {project.owner}", _time(project, today), ""]
    for kpi in project.kpis:
        newest = [item for item in measurements if item.kpi == kpi.name and item.day <= today][-1:]
        span = f"{kpi.baseline:g} to {kpi.target:g} {kpi.unit}".rstrip()
        told = [f"{item.value:g} on {item.day}, {kpi.reached(item.value):.0%} of the way" for item in newest]
        lines.append(f"- {kpi.name} ({span}): {told[0] if told else 'not measured yet'}")
    if milestones:
        lines += ["", *(_milestone(item, today) for item in milestones)]
    return "\n".join(lines)


def _time(project: Project, today: date) -> str:
    if today < project.starts:
        return f"Starts on {project.starts}, in {(project.starts - today).days} days"
    if today > project.ends:
        return f"Ended on {project.ends}"
    return f"Day {(today - project.starts).days + 1} of {(project.ends - project.starts).days + 1}"


def _milestone(item: Milestone, today: date) -> str:
    days = (item.due - today).days
    return f"- {item.due} {item.name}: " + (f"in {days} days" if days > 0 else "due today" if days == 0 else "was due")
