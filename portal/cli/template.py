"""`portal template`: runs templates from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from portal.app import build
from portal.cli.operator import remembered
from portal.cli.output import console, database_option, print_json
from portal.cli.template_lint import lint
from portal.cli.template_preview import preview
from portal.cli.template_test import test
from portal.cli.template_upgrade import generated, upgrade
from portal.errors import InputError
from portal.ingest.yaml import parse
from portal.model.secret import Secret

_MARKS = {
    "processing": ("…", "cyan"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("-", "yellow"),
    "cancelled": ("✗", "yellow"),
}


class Scaffolding(Protocol):
    """What running a template from the command line needs."""

    def create_task(
        self,
        template_ref: str,
        values: Mapping[str, Any],
        *,
        secrets: Mapping[str, Secret] | None = None,
        actor_ref: str | None = None,
    ) -> str:
        """Start a task and return its id."""
        ...

    def get_task(self, task_id: str) -> dict[str, Any]:
        """Return a task."""
        ...

    def event_stream(self, task_id: str) -> Iterator[dict[str, Any]]:
        """Return a task's events as they come."""
        ...


def run_template(
    scaffolding: Scaffolding,
    name: str,
    values: Mapping[str, Any],
    *,
    secrets: Mapping[str, Secret] | None = None,
    actor_ref: str | None = None,
    show: Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], None] = lambda _steps, _event: None,
) -> dict[str, Any]:
    """Run a template to its end and return `taskId`, `status`, `steps` (status by id), `output` and `error`.

    `show` is called with the task's steps and each event as it comes.
    """
    task_id = scaffolding.create_task(name, values, secrets=secrets, actor_ref=actor_ref)
    steps = scaffolding.get_task(task_id)["spec"]["steps"]
    result: dict[str, Any] = {"taskId": task_id, "status": "failed", "steps": {}, "output": {}, "error": None}
    for event in scaffolding.event_stream(task_id):
        body = event["body"]
        if body.get("stepId") and body.get("status"):
            result["steps"][body["stepId"]] = body["status"]
        if event["type"] == "completion":
            result["error"] = body.get("error")
            result["output"] = body.get("output", {})
            result["status"] = "failed" if body.get("error") else "completed"
        show(steps, event)
    return result


@click.group()
def template() -> None:
    """Work with templates."""


template.add_command(lint)
template.add_command(preview)
template.add_command(test)
template.add_command(generated)
template.add_command(upgrade)


@template.command()
@click.argument("name")
@click.option(
    "--values",
    "values_file",
    type=click.File("rb"),
    required=True,
    help="Values, YAML or JSON, alone or as a case has them; - for stdin.",
)
@click.option("--secret", "secrets", multiple=True, metavar="NAME=VALUE", help="A secret; may be repeated.")
@click.option("--as", "actor_ref", metavar="REF", help="The user who asks, such as user:default/ann.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@database_option
@click.pass_obj
def run(
    load: Any,
    *,
    name: str,
    values_file: Any,
    secrets: Sequence[str],
    actor_ref: str | None,
    as_json: bool,
    database: str | None,
) -> None:
    """Run the template NAME (such as shared-dataset) and show its steps; exit with 1 when it fails."""
    from portal.services.template_cases import values_of  # noqa: PLC0415  # who runs none need not import a dry run

    values = values_of(_values(values_file.read(), values_file.name))
    given = dict(_secret(text) for text in secrets)
    with build(load(database=database)) as portal:
        portal.migrate()
        portal.jobs.start(worker=True, alone=True)
        with remembered(portal, "portal template run", name) as done:
            if as_json:
                result = run_template(portal.scaffolding, name, values, secrets=given, actor_ref=actor_ref)
            else:
                with Live(console=console(), refresh_per_second=8) as live:
                    result = run_template(
                        portal.scaffolding, name, values, secrets=given, actor_ref=actor_ref, show=_shower(live)
                    )
            done.target = f"{name} task {result['taskId']}"
            done.has_failed = result["status"] != "completed"
        if as_json:
            print_json(result)
        else:
            print_result(console(), result)
    if result["status"] != "completed":
        sys.exit(1)


def print_result(out: Console, result: Mapping[str, Any]) -> None:
    """Print how a task ended: its links, texts and other outputs, or its error."""
    if result["error"]:
        out.print(Text(f"{result['error'].get('name', 'Error')}: {result['error'].get('message', '')}", style="red"))
        return
    output = dict(result["output"])
    for link in output.pop("links", None) or []:
        out.print(Text(f"{link.get('title', 'Link')}: {link.get('url') or link.get('entityRef', '')}"), soft_wrap=True)
    for text in output.pop("text", None) or []:
        out.print(Text(f"{text.get('title', '')}\n{text.get('content', '')}".strip()), soft_wrap=True)
    for name, value in output.items():
        out.print(Text(f"{name}: {value}"), soft_wrap=True)


def _shower(live: Live) -> Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], None]:
    """Return what keeps a list of steps with their states on the terminal, the last line of the log below it."""
    states: dict[str, str] = {}

    def show(steps: Sequence[Mapping[str, Any]], event: Mapping[str, Any]) -> None:
        body = event["body"]
        if body.get("stepId") and body.get("status"):
            states[body["stepId"]] = body["status"]
        lines = Text()
        for step in steps:
            mark, style = _MARKS.get(states.get(step["id"], ""), ("·", "dim"))
            lines.append(f"{mark} {step['name']}\n", style=style)
        if event["type"] == "log" and "status" not in body:
            lines.append(f"  {str(body['message']).splitlines()[-1] if body['message'] else ''}", style="dim")
        live.update(lines)

    return show


def _values(content: bytes, name: str) -> dict[str, Any]:
    documents = parse(content, location=name)
    problems = [document.problem for document in documents if document.problem is not None]
    if problems:
        raise InputError("\n".join(map(str, problems)), problems)
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise InputError(f"{name}: expected one mapping of the template's parameters to their values")
    return documents[0].value


def _secret(text: str) -> tuple[str, Secret]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError("--secret: expected NAME=VALUE")  # what was found may be the secret itself
    return name, Secret(value)
