"""`portal token`: makes, lists, revokes API tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table

from portal.app import build
from portal.cli.operator import operator, remembered
from portal.cli.output import console, database_option, plain, print_json, print_table
from portal.model.expiry import parse_expiry
from portal.model.moment import shown_time
from portal.model.ref import EntityRef
from portal.services.api_tokens import ApiToken

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def token() -> None:
    """API tokens, of people or programs."""


@token.command()
@click.option("--for", "user", metavar="USER", help="The user that it stands for, such as user:default/ann.")
@click.option("--service", metavar="NAME", help="The program that it stands for, of nobody's rights.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="What it may do: catalog:read and the like; repeatable."
)
@click.option("--expires", required=True, metavar="WHEN", help="30d, 8w, 2027-01-31, or a time with its offset.")
@click.option("--description", default="", help="What it is for.")
@database_option
@_json_option
@click.pass_obj
def create(
    load: Any,
    *,
    user: str | None,
    service: str | None,
    scopes: Sequence[str],
    expires: str,
    description: str,
    database: str | None,
    as_json: bool,
) -> None:
    """Make a token and print it, once: Portal keeps only what it is known by."""
    if (user is None) == (service is None):
        raise click.UsageError("Name whose it is: --for USER, or --service NAME")
    with build(load(database=database)) as portal:
        portal.migrate()
        tokens = portal.access.api_tokens
        who = operator()
        until = parse_expiry(expires, now_ms=tokens.now_ms)
        with remembered(portal, "portal token create") as done:
            more = {"created_by": who, "description": description}
            if user is not None:
                ref = EntityRef.parse(user, default_kind="user")
                made = tokens.create_personal(ref, scopes, expires_at_ms=until, **more)
            else:
                made = tokens.create_service(str(service), scopes, expires_at_ms=until, **more)
            done.target = f"token {made.token.id}"
    if as_json:
        print_json(made.token.to_json() | {"token": made.text.reveal()})
        return
    # Alone on the standard output, so that a shell can take it from there.
    console(stderr=True).print(
        f"token {made.token.id} of {made.token.owner}, until {shown_time(made.token.expires_at_ms)}; "
        "it is shown this once",
        highlight=False,
        soft_wrap=True,
    )
    click.echo(made.text.reveal())


@token.command("list")
@click.option("--for", "user", metavar="USER", help="Only those of a user.")
@click.option("--service", metavar="NAME", help="Only those of a program.")
@click.option("--all", "is_all", is_flag=True, help="Those too that are revoked or over.")
@database_option
@_json_option
@click.pass_obj
def list_tokens(
    load: Any, *, user: str | None, service: str | None, is_all: bool, database: str | None, as_json: bool
) -> None:
    """List tokens, with their last use."""
    if user is not None and service is not None:
        raise click.UsageError("Name one owner: --for USER, or --service NAME")
    with build(load(database=database)) as portal:
        portal.migrate()
        tokens = portal.access.api_tokens
        if user is not None:
            found = tokens.tokens(kind="personal", owner=EntityRef.parse(user, default_kind="user"))
        elif service is not None:
            found = tokens.tokens(kind="service", owner=service)
        else:
            found = tokens.tokens()
    shown = [item for item in found if is_all or item.status == "active"]
    if as_json:
        print_json([item.to_json() for item in shown])
    else:
        print_table(_table(shown))


@token.command()
@click.argument("token_id", metavar="ID")
@database_option
@_json_option
@click.pass_obj
def revoke(load: Any, *, token_id: str, database: str | None, as_json: bool) -> None:
    """End the token ID for good; it is refused from the next request on."""
    with build(load(database=database)) as portal:
        portal.migrate()
        with remembered(portal, "portal token revoke", f"token {token_id}"):
            found = portal.access.api_tokens.revoke(token_id)
    if as_json:
        print_json(found.to_json())
    else:
        click.echo(f"token {found.id} of {found.owner} is revoked")


def _table(found: Sequence[ApiToken]) -> Table:
    table = Table(header_style="bold")
    for column in ("id", "owner", "scopes", "expires", "last used", "status", "description"):
        table.add_column(column)
    for item in found:
        used = "never" if item.last_used_at_ms is None else shown_time(item.last_used_at_ms)
        cells = (item.id, item.owner, ", ".join(item.scopes), shown_time(item.expires_at_ms), used, item.status)
        table.add_row(*map(plain, cells), plain(item.description))
    return table
