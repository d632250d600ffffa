"""`portal policy explain`: who may do what, with the reason."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from portal.app import build
from portal.cli.output import console, database_option, plain, print_json
from portal.model.ref import EntityRef
from portal.services.explanation import Explanation
from portal.services.identity import ANYBODY, Actor


@click.group()
def policy() -> None:
    """Ask the permission policy."""


@policy.command()
@click.argument("user")
@click.argument("action")
@click.argument("ref", required=False)
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_obj
def explain(load: Any, *, user: str, action: str, ref: str | None, database: str | None, as_json: bool) -> None:
    """Say whether USER has the permission ACTION, on the entity or task REF, and why.

    USER is a user (ann, user:default/ann), `nobody` for who is not signed in, or service:NAME. ACTION is a permission
    such as catalog.entity.delete.
    """
    with build(load(database=database)) as portal:
        portal.migrate()
        found = portal.access.explanation.explain(_actor(user), action, ref)
    print_json(found.to_json()) if as_json else _print(found)


def _actor(text: str) -> Actor:
    if text == "nobody":
        return ANYBODY
    if text.startswith("service:"):
        return Actor("service", text.partition(":")[2])
    return Actor("user", EntityRef.parse(text, default_kind="user"))


def _print(found: Explanation) -> None:
    out = console()
    verb = {"ALLOW": ("may", "green"), "DENY": ("may not", "red")}.get(found.result, ("may on some", "yellow"))
    on = f" on {plain(found.resource)}" if found.resource else ""
    out.print(
        Text.assemble(f"{plain(found.actor)} ", verb, f" use {found.permission.name}{on}: {plain(found.reason)}"),
        soft_wrap=True,
    )
    for name, refs in (("owners", found.owners), ("owns by", found.claims), ("admins", found.admins)):
        if refs:
            out.print(Text(f"{name}: {', '.join(refs)}"), soft_wrap=True)
    if found.conditions is not None:
        out.print(Text(f"conditions: {found.conditions}"), soft_wrap=True)
