"""`portal owners rules`: which rules there are, on the command line."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from portal.app import build
from portal.cli.output import console, database_option, plain, print_json
from portal.services.rules import KnownRule, RuleBook


@click.command()
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_obj
def rules(load: Any, *, database: str | None, as_json: bool) -> None:
    """Tell every rule: what it asks for, where it comes from, its severity by layer, its exemptions."""
    with build(load(database=database)) as portal:
        portal.migrate()
        found = portal.answers.rules.book()
    print_json(found.to_json()) if as_json else _print(found)


def _print(found: RuleBook) -> None:
    out = console()
    for rule in found.rules:
        out.print(Text.assemble((plain(rule.id), "bold"), f"  {_source(rule)}"), soft_wrap=True)
        out.print(Text(f"  {plain(rule.explanation)}"), soft_wrap=True)
        out.print(Text(f"  fix: {plain(rule.fix)}"), soft_wrap=True)
        severities = ", ".join(f"{layer.name} {severity}" for layer, severity in rule.severities)
        out.print(Text(f"  severity: {severities or 'no layer'}"), soft_wrap=True)
        for exemption, standing in rule.exemptions:
            line = (
                f"  {standing} exemption: {exemption.entity} until {exemption.expires}, "
                f"approved by {exemption.approver}: {exemption.reason} ({exemption.policy})"
            )
            out.print(Text(plain(line)), soft_wrap=True)
    for item in found.unavailable:
        line = plain(f"not available: {item.name} of {item.distribution}: {item.reason}")
        out.print(Text(line, style="red"), soft_wrap=True)


def _source(rule: KnownRule) -> str:
    return f"declared by {rule.source}" if rule.policy is not None else f"from {plain(rule.source)}"
