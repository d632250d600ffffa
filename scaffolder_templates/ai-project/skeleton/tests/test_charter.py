"""The charter fits together, and the report tells how far the project is."""

from dataclasses import replace
from datetime import date, timedelta

from charter.project import (
    Kpi,
    Measurement,
    Milestone,
    Project,
    faults,
    read_measurements,
    read_milestones,
    read_project,
)
from charter.report import report

PROJECT = Project(
    name="visits",
    title="Store visits",
    goal="Shops are never too full",
    owner="group:default/visits",
    starts=date(2026, 1, 1),
    ends=date(2026, 12, 31),
    kpis=(Kpi("waiting", 10, 5, "minutes"), Kpi("returns", 0.2, 0.4)),
)


def test_the_charter_of_this_project_fits_together():
    assert faults(read_project(), read_measurements(), read_milestones()) == []


def test_the_report_of_this_project_names_its_goal_and_kpis():
    project = read_project()
    told = report(project, read_measurements(), read_milestones(), today=project.starts)

    assert project.goal in told
    assert "Day 1 of" in told
    assert all(f"- {kpi.name} (" in told for kpi in project.kpis)


def test_a_value_on_the_way_down_is_a_part_of_the_way():
    assert PROJECT.kpis[0].reached(7.5) == 0.5


def test_the_newest_measurement_that_is_there_today_counts():
    measured = [
        Measurement(date(2026, 2, 1), "waiting", 9),
        Measurement(date(2026, 3, 1), "waiting", 6),
        Measurement(date(2026, 4, 1), "waiting", 5),
    ]
    told = report(PROJECT, measured, [], today=date(2026, 3, 15))

    assert "- waiting (10 to 5 minutes): 6 on 2026-03-01, 80% of the way" in told
    assert "- returns (0.2 to 0.4): not measured yet" in told


def test_milestones_are_told_with_the_days_that_are_left():
    today = date(2026, 3, 1)
    milestones = [Milestone(today + timedelta(days=days), f"in {days}") for days in (-1, 0, 9)]
    told = report(PROJECT, [], milestones, today=today)

    assert told.splitlines()[-3:] == [
        "- 2026-02-28 in -1: was due",
        "- 2026-03-01 in 0: due today",
        "- 2026-03-10 in 9: in 9 days",
    ]


def test_what_does_not_fit_together_is_told():
    broken = replace(
        PROJECT, ends=date(2025, 1, 1), kpis=(Kpi("waiting", 1, 1), Kpi("waiting", 1, 2)), starts=date(2026, 1, 1)
    )
    measured = [Measurement(date(2026, 1, 1), "sunshine", 1)]
    found = faults(broken, measured, [Milestone(date(2030, 1, 1), "late")])

    assert found == [
        "the project ends on 2025-01-01, before it starts on 2026-01-01",
        "waiting is there twice",
        "waiting: the target is what it is today",
        "2026-01-01: sunshine is no KPI of the project",
        "late is due on 2030-01-01, outside the project's time",
    ]
