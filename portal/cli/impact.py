"""`portal owners impact`: whom a change reaches, on the command line."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from portal.cli.output import console, database_option, plain, print_json
from portal.cli.questions import asked, print_line, print_reached, short_name, shown_root
from portal.errors import InputError
from portal.model.ref import EntityRef
from portal.services.impact import ChangeSet, Impact, Reached


@click.command()
@click.argument("ref", metavar="[REF]", required=False)
@click.option("--removed", is_flag=True, help="Tell what would break if the entity were removed.")
@click.option("--since", metavar="COMMIT", help="Of all that changed after a commit, or after `revision:N`.")
@click.option("--limit", type=click.IntRange(1), default=500, show_default=True, help="How many items at most.")
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the route of the same name answers.")
@click.pass_obj
def impact(
    load: Any, *, ref: str | None, removed: bool, since: str | None, limit: int, database: str | None, as_json: bool
) -> None:
    """Tell what needs an entity, directly or through others, and the owners to tell, the nearest first.

    Either of one entity, or of all that changed since a commit.
    """
    fault = InputError("Name either an entity, with or without --removed, or --since with a commit")
    if since is not None:
        if ref is not None or removed:
            raise fault
        changes = asked(load, database, lambda portal: portal.answers.impact.of_changes(since, limit=limit))
        print_json(changes.to_json()) if as_json else _print_changes(changes)
    elif ref is None:
        raise fault
    else:
        root = EntityRef.parse(ref)
        found = asked(
            load, database, lambda portal: portal.answers.impact.of_entity(root, limit=limit, removed=removed)
        )
        print_json(found.to_json()) if as_json else _print_impact(found)


def _print_impact(found: Impact) -> None:
    if found.breaks is not None:
        title = f"breaks without {shown_root(found.root)}: {found.breaks_total or 'nothing'}"
        console().print(Text(title, style="bold"), soft_wrap=True)
        for item in found.breaks:
            console().print(Text(plain(f"{item.ref}: {item.why}")), soft_wrap=True)
        _print_more(found.breaks_total - len(found.breaks))
    _print_told(f"needs {shown_root(found.root)}", found.reached)


def _print_changes(found: ChangeSet) -> None:
    title = f"changed since revision {found.since}: {found.changed_total or 'nothing'}"
    console().print(Text(title, style="bold"), soft_wrap=True)
    for change, node in found.changed:
        console().print(Text(plain(f"{change}: {node.ref}")), soft_wrap=True)
    _print_more(found.changed_total - len(found.changed))
    _print_told("needs what changed", found.reached)


def _print_told(title: str, reached: Reached) -> None:
    print_reached(title, reached.dependents, total=reached.total)
    _print_more(reached.total - len(reached.dependents))
    told = [f"{short_name(owner.ref)} ({owner.count}, nearest {owner.distance})" for owner in reached.owners]
    print_line("tell", told or ["nobody"])


def _print_more(count: int) -> None:
    if count > 0:
        click.echo(f"{count} more; ask with a larger --limit")
