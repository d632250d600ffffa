"""The page of a group or a person: what it answers for, who is in it, what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import NotFoundError
from portal.model.layer import Layer
from portal.model.moment import shown_time
from portal.model.ref import PEOPLE, EntityRef
from portal.model.sentence import Sentence
from portal.services.balance import BalanceAnswer
from portal.services.directory import Directory, DirectoryService
from portal.services.drift import DriftService
from portal.services.owner_answers import OwnerAnswers
from portal.services.ownership import LayerView, Node, OwnershipService
from portal.services.portfolio import Portfolio
from portal.services.profile import ProfileService
from portal.web.balance import picture
from portal.web.links import is_safe
from portal.web.listed import MOST_SHOWN, Listed
from portal.web.owners import TreeRow, name_of, profile_of, tree
from portal.web.tones import tones_by_layer

#: A picture of more people than these tells nobody anything.
_MOST_PICTURED = 200
_MOST_DRIFTS = 10
#: The tree around a group shows so many of its children, and opens them until it has so many rows.
_MOST_CHILDREN, _MOST_ROWS = 20, 40
#: Of so many owners the catalog is asked in one address.
_MOST_OWNERS = 15


@dataclass(frozen=True, slots=True)
class KindShown:
    """What an owner has of one kind in a layer: how many, the first of them, where all of them are listed."""

    kind: str
    count: int
    nodes: Sequence[Node]
    url: str | None

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.count - len(self.nodes)


@dataclass(frozen=True, slots=True)
class LayerShown:
    """What an owner has in a layer; `layer` is None for what stands in none."""

    layer: EntityRef | None
    title: str
    tone: int
    count: int
    kinds: Sequence[KindShown]


def add_owner(
    blueprint: Blueprint,
    directory: DirectoryService,
    answers: OwnerAnswers,
    *,
    profiles: ProfileService,
    ownership: OwnershipService,
    drift: DriftService,
) -> None:
    """Add the page."""

    @blueprint.get("/owners/<kind>/<namespace>/<name>")
    def owner(kind: str, namespace: str, name: str) -> ResponseReturnValue:
        ref = EntityRef.of(kind, namespace, name)
        if ref.kind not in PEOPLE or "\0" in ref:
            abort(404, Sentence("%(ref)s is neither a group nor a person; only those own anything.", ref=ref))
        known = directory.now()
        is_direct = request.args.get("scope") == "itself"
        try:
            profile = profiles.of(ref, known, is_direct=is_direct)
        except NotFoundError:
            return _stranger(ref, known, answers, ownership)
        portfolio = answers.portfolio(ref, is_direct=is_direct)
        spec = profile.document.get("spec") or {}
        metadata = profile.document["metadata"]
        shows_balance = ref.kind == "group" and 0 < profile.people_total <= _MOST_PICTURED
        balance = answers.balance(ref) if shows_balance else None
        drawn = picture(balance.balance.roles, balance.team) if isinstance(balance, BalanceAnswer) else None
        return render_template(
            "owner.html",
            ref=ref,
            profile=profile,
            metadata=metadata,
            title=name_of(profile.document),
            type=spec["type"] if isinstance(spec.get("type"), str) else "",
            email=profile_of(profile.document).get("email", ""),
            links=[link for link in metadata.get("links") or () if is_safe(link.get("url", ""))],
            is_direct=is_direct,
            portfolio=portfolio,
            layers=_layers(portfolio, known.layers),
            faults=_faults(portfolio),
            known=ownership.nodes({finding.ref for finding in portfolio.findings} | (drawn.named if drawn else set())),
            directory=known,
            path=known.path(ref) if ref in known.groups else (),
            rows=_below(known, ref),
            extent=known.extent(ref) if ref in known.groups else None,
            balance=balance,
            picture=drawn,
            moves=answers.moves(ref) if "moves" in request.args else None,
            drift=drift.overall(owner=ref, limit=_MOST_DRIFTS) if "drift" in request.args else None,
            problems_url=url_for("web.problems", owner=ref),
            address=_address,
            day=_day,
        )


def _below(directory: Directory, ref: EntityRef) -> Sequence[TreeRow]:
    """Return the groups below one for the tree around it."""
    if ref not in directory.groups:
        return ()
    return tree(directory, directory.groups[ref].children[:_MOST_CHILDREN], most=_MOST_ROWS)


def _stranger(
    ref: EntityRef, directory: Directory, answers: OwnerAnswers, ownership: OwnershipService
) -> ResponseReturnValue:
    """Return the page of an owner who is not in the catalog: what names it, what it had."""
    count = directory.strangers.get(ref, 0)
    try:
        moves = answers.moves(ref)
    except NotFoundError:
        moves = None
    if not count and moves is None:
        abort(404, Sentence("The catalog has no %(ref)s, and nothing names it as its owner.", ref=ref))
    owned = ownership.owned([ref], limit=MOST_SHOWN)
    return render_template("stranger.html", ref=ref, owned=Listed(owned, count), moves=moves, day=_day), 404


def _layers(portfolio: Portfolio, layers: Sequence[Layer]) -> list[LayerShown]:
    """Return a portfolio by layer, the highest first; layers that are not there follow, then what stands in none."""
    tones = tones_by_layer([LayerView(layer, [], []) for layer in layers])
    titles: dict[str, str] = {str(layer.ref): layer.title for layer in layers}
    places = [*titles, *sorted(set(portfolio.counts) - {*titles, ""}), ""]
    found = []
    for place in places:
        counts = portfolio.counts.get(place)
        if counts:
            layer = EntityRef(place) if place else None
            found.append(
                LayerShown(
                    layer,
                    titles.get(place, layer.name if layer is not None else ""),
                    tones.get(layer, 0) if layer is not None else 0,
                    sum(counts.values()),
                    [
                        KindShown(
                            kind, count, portfolio.first.get((place, kind), ()), _catalog_url(portfolio, place, kind)
                        )
                        for kind, count in counts.items()
                    ],
                )
            )
    return found


def _catalog_url(portfolio: Portfolio, layer: str, kind: str) -> str | None:
    """Return where the catalog lists what an owner has; None where too many owners have it together."""
    owners = sorted(ref for ref, count in portfolio.owners.items() if count)
    if len(owners) > _MOST_OWNERS:
        return None
    place = EntityRef(layer) if layer else None
    # A dash is what the catalog calls those without any.
    named = "-" if place is None else place.name if place.namespace == "default" else place
    return url_for("web.catalog", owner=owners, layer=named, kind=kind)


def _faults(portfolio: Portfolio) -> int:
    """Return how much is wrong, without what is exempt from the rules for a time."""
    broken = sum(item.count for item in portfolio.violations if item.severity != "exempt")
    return portfolio.problems_total + broken


def _address(**wanted: Any) -> str:
    """Return the address of the page with some of its state changed; None takes a value away."""
    kept = {name: value for name, value in request.args.items() if name in {"scope", "moves", "drift"}}
    return url_for("web.owner", **(request.view_args or {}), **(kept | wanted))


def _day(milliseconds: int) -> str:
    return shown_time(milliseconds)[:10]
