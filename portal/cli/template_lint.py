"""`portal template lint`: finds what is wrong with templates before anybody runs them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from portal.app.dry_runs import bench_alone
from portal.cli.output import console, plain, print_problems, shown_location
from portal.cli.reports import FORMATS, Fault, Report, identity_of, problem_fault, relative
from portal.services.template_lint import LINT_RULES, Linted, LintFault
from portal.vcs.worktree import find_worktree

_COLOURS = {"error": "red", "warning": "yellow"}


@click.command("lint")
@click.argument("targets", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="TARGET...")
@click.option("--format", "form", type=click.Choice(["human", *FORMATS]), default="human", help="How to tell of it.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file to write instead of printing.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
@click.pass_obj
def lint(load: Any, *, targets: Sequence[Path], form: str, as_json: bool, output: Path | None, strict: bool) -> None:
    """Look at the templates in files or below folders; exit with 1 when one cannot work.

    Nothing is run. What actions take is known of those that are installed here.
    """
    with bench_alone(load()) as bench:
        linted = bench.lint.lint(targets)
    first = targets[0].resolve()
    home = find_worktree(first if first.is_dir() else first.parent)
    report = _report(linted, root=home.root if home is not None else Path.cwd())
    form = "json" if as_json else form
    if form == "human":
        _print(linted, report)
    elif output is not None:
        output.write_text(FORMATS[form](report), encoding="utf-8")
    else:
        click.echo(FORMATS[form](report), nl=False)
    sys.exit(1 if report.errors or (strict and report.faults) else 0)


def _report(linted: Linted, *, root: Path) -> Report:
    return Report.made_of(
        [
            *(problem_fault(problem, root) for problem in linted.problems),
            *(_fault(fault, root) for fault in linted.faults),
        ],
        value={
            "templates": linted.templates,
            "problems": [problem.to_json() for problem in linted.problems],
            "faults": [fault.to_json() for fault in linted.faults],
        },
        rules={rule.id: (f"{rule.explanation}.", f"{rule.fix}.") for rule in LINT_RULES},
    )


def _fault(fault: LintFault, root: Path) -> Fault:
    path = relative(fault.location, root)
    identity = identity_of(fault.rule.id, path, fault.field, fault.found)
    return Fault(fault.rule.id, fault.level, f"{fault.message}.", path, fault.span.line, fault.span.column, identity)


def _print(linted: Linted, report: Report) -> None:
    print_problems(linted.problems)
    out = console()
    for fault in linted.faults:
        place = f"{shown_location(fault.location)}:{fault.span.line}:{fault.span.column}"
        line = Text(f"{fault.level}: ", style=_COLOURS[fault.level])
        line.append(plain(f"{place} {fault.field}: {fault.message} [{fault.rule.id}]"), style="default")
        out.print(line, soft_wrap=True)
    warnings = len(report.faults) - report.errors
    out.print(
        Text(
            f"{linted.templates} {'template' if linted.templates == 1 else 'templates'}, "
            f"{report.errors} {'error' if report.errors == 1 else 'errors'}, "
            f"{warnings} {'warning' if warnings == 1 else 'warnings'}"
        )
    )
