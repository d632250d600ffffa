"""The pages of balance: whether the teams of projects hold the roles that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request

from portal.model.ref import EntityRef
from portal.services.balance import BalanceAnswer, Glance, Held, Mate, Standing, standing
from portal.services.owner_answers import OwnerAnswers
from portal.services.ownership import OwnershipService
from portal.web.language import gettext, ngettext
from portal.web.numbered_pages import NumberedPage

_PROJECTS_AT_ONCE = 50
#: So many people stand side by side in a picture; the rest is counted.
_MOST_COLUMNS = 24
_MOST_CANDIDATES = 5
_STATES = ("missing", "single", "balanced", "unknown")


@dataclass(frozen=True, slots=True)
class Row:
    """A role in a picture: how it stands, who holds it by column (None: not this one), who else could."""

    held: Held
    standing: Standing
    cells: Sequence[EntityRef | None]
    candidates: Sequence[EntityRef]

    @property
    def more(self) -> int:
        """How many who could help are not named."""
        return self.held.candidates_total - len(self.candidates)

    @property
    def is_open(self) -> bool:
        """Whether something ought to be done about it."""
        return self.held.is_missing or (self.held.necessity == "required" and self.standing == "single")

    @property
    def needed(self) -> str:
        """How much it is needed, in words."""
        return {
            "required": gettext("has to be held"),
            "one-of": gettext("one of these is enough"),
            "usual": gettext("usual in the layer"),
        }[self.held.necessity]

    @property
    def state(self) -> str:
        """How it stands: nobody who holds what nobody has to is no fault."""
        return "open" if self.standing == "missing" and not self.held.is_missing else self.standing

    @property
    def says(self) -> str:
        """How it stands, in words."""
        count = len(self.held.holders)
        return {
            "missing": gettext("nobody holds it"),
            "open": gettext("nobody; not needed"),
            "single": gettext("one person alone"),
            "lent": ngettext("lent: one person", "lent: %(num)s people", count),
            "held": ngettext("held by one", "held by %(num)s", count),
        }[self.state]


@dataclass(frozen=True, slots=True)
class Picture:
    """Needed roles by people; `more` hold none of them, `unseen` hold some and do not fit."""

    columns: Sequence[Mate]
    rows: Sequence[Row]
    more: int
    unseen: int

    @property
    def named(self) -> set[EntityRef]:
        """Who is named beside the picture."""
        return {who for row in self.rows for who in row.candidates}


def add_balance(blueprint: Blueprint, answers: OwnerAnswers, ownership: OwnershipService) -> None:
    """Add the pages."""

    @blueprint.get("/projects")
    def balances() -> str:
        projects = answers.projects()
        text = request.args.get("q", "").replace("\0", "").strip()
        state = request.args.get("state", "")
        found = [item for item in projects if _is_named(item, text.lower())]
        counts = {name: sum(1 for item in found if item.state == name) for name in _STATES}
        listed = [item for item in found if item.state == state] if state in counts else found
        page = NumberedPage.asked(len(listed), size=_PROJECTS_AT_ONCE)
        shown = page.of(listed)
        return render_template(
            "balances.html",
            text=text,
            state=state if state in counts else "",
            counts=counts,
            total=len(found),
            projects=shown,
            page=page,
            known=ownership.nodes({item.project.owner for item in shown if item.project.owner is not None}),
            says=_says(),
        )

    @blueprint.get("/projects/<namespace>/<name>")
    def balance(namespace: str, name: str) -> str:
        ref = EntityRef.of("project", namespace, name)
        found = answers.balance(ref)
        shown: dict[str, Any] = {"reason": found, "answer": None, "picture": None}
        named = {ref}
        if isinstance(found, BalanceAnswer):
            drawn = picture(found.balance.roles, found.team)
            shown = {"reason": "", "answer": found, "picture": drawn}
            named |= {found.entity.owner} if found.entity.owner is not None else set()
            named |= drawn.named
        return render_template("balance.html", ref=ref, known=ownership.nodes(named), **shown)


def picture(roles: Sequence[Held], team: Sequence[Mate]) -> Picture:
    """Return the picture of a team: its own people before those who are lent to it."""
    needed = {item.role.ref for item in roles}
    holding = sorted(
        (mate for mate in team if needed & mate.roles.keys()),
        key=lambda mate: (mate.lent, mate.title.lower(), mate.ref),
    )
    columns = holding[:_MOST_COLUMNS]
    return Picture(
        columns,
        [
            Row(
                item,
                standing(item),
                [mate.roles.get(item.role.ref) for mate in columns],
                item.candidates[:_MOST_CANDIDATES],
            )
            for item in roles
        ],
        len(team) - len(holding),
        len(holding) - len(columns),
    )


def _is_named(item: Glance, text: str) -> bool:
    names = (item.project.title.lower(), item.project.ref.name, item.project.owner.name if item.project.owner else "")
    return any(text in name for name in names)


def _says() -> dict[str, str]:
    """Return how states and standings are called."""
    return {
        "missing": gettext("nobody"),
        "single": gettext("one person alone"),
        "lent": gettext("lent people only"),
        "held": gettext("held"),
    }
