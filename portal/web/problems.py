"""The page of all that is wrong: problems of files, rules that are broken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, render_template, request

from portal.graph.faults import SEVERITIES
from portal.model.problem import PROBLEM_MESSAGES
from portal.model.ref import EntityRef
from portal.model.sentence import Sentence
from portal.services.ownership import Node, OwnershipService
from portal.services.places import PlacesService
from portal.services.problems import NONE, Asked, Faults, ProblemsService
from portal.web.language import gettext, translated
from portal.web.links import query_url

#: What may be chosen by.
_FILTERS = ("rule", "layer", "owner", "severity", "kind", "ref")
_AT_ONCE = 50
_LAST_PAGE = 100_000
#: So many values of a facet are shown at once, and so many more when a reader unfolds it.
_SHOWN, _UNFOLDED = 8, 100
_API = "/api/ownership/problems"


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a facet: what it is called, how many it would give, the address that chooses it, or no longer does."""

    key: str
    label: str
    note: str
    count: int
    is_chosen: bool
    url: str


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet: its values, those that are chosen first, then by count; `hidden` are not shown at all."""

    name: str
    title: str
    values: list[Value]
    unfolded: list[Value]
    hidden: int


def add_problems(
    blueprint: Blueprint, problems: ProblemsService, ownership: OwnershipService, places: PlacesService
) -> None:
    """Add the page."""

    @blueprint.get("/problems", endpoint="problems")
    def page() -> str:
        chosen = {name: list(dict.fromkeys(request.args.getlist(name))) for name in _FILTERS}
        number = request.args.get("page", 1, type=int)
        if not 1 <= number <= _LAST_PAGE:
            abort(404, Sentence("There is no such page."))
        asked = Asked(
            rule=chosen["rule"],
            layer=chosen["layer"],
            owner=chosen["owner"],
            severity=chosen["severity"],
            kind=chosen["kind"],
            ref=chosen["ref"],
        )
        found = problems.ask(asked, limit=_AT_ONCE, offset=(number - 1) * _AT_ONCE)
        ranked = {name: _ranked(name, counts, chosen[name]) for name, counts in problems.facets(asked).items()}
        known = ownership.nodes(_concerned(found) | _people_and_layers(ranked))
        others = {node.owner for node in known.values()} | {node.layer for node in known.values()}
        known = {**known, **ownership.nodes({ref for ref in others if ref is not None and ref not in known})}
        where = places.of_entities([finding.ref for finding in found.findings])
        return render_template(
            "problems.html",
            found=found,
            facets=[_facet(name, ranked[name], chosen, known) for name in ("severity", "rule", "layer", "owner")],
            chips=_chips(chosen, known),
            known=known,
            places=where,
            refs={problem.ref: EntityRef(problem.ref) for problem in found.problems if problem.ref is not None},
            places_of_problems=[
                places.of(problem.location, problem.span.line if problem.span else None) for problem in found.problems
            ],
            severities=_severities(),
            page=number,
            first=(number - 1) * _AT_ONCE + 1,
            last=(number - 1) * _AT_ONCE + len(found.problems) + len(found.findings),
            previous_url=_url(chosen, page=number - 1) if number > 1 else None,
            next_url=_url(chosen, page=number + 1) if number * _AT_ONCE < found.total else None,
            json_url=f"{_API}?{urlencode({name: values for name, values in chosen.items() if values}, doseq=True)}",
        )


def _concerned(found: Faults) -> set[EntityRef]:
    return {
        *(EntityRef(problem.ref) for problem in found.problems if problem.ref is not None),
        *(finding.ref for finding in found.findings),
        *(ref for finding in found.findings for ref in finding.related),
        *(finding.exemption.approver for finding in found.findings if finding.exemption is not None),
    }


def _people_and_layers(ranked: Mapping[str, Sequence[tuple[str, int]]]) -> set[EntityRef]:
    """Return the layers and owners that facets name."""
    return {
        EntityRef(value)
        for name in ("layer", "owner")
        for value, _ in ranked[name][: _SHOWN + _UNFOLDED]
        if value != NONE and ":" in value
    }


def _ranked(name: str, counts: Mapping[str, int], chosen: Collection[str]) -> list[tuple[str, int]]:
    """Return the values of a facet with their counts, those that are chosen first, the graver or more frequent next."""
    # What is chosen stays there to be let go, even where it gives nothing beside the other facets.
    every = dict.fromkeys(chosen, 0) | {value or NONE: count for value, count in counts.items()}
    order = {severity: place for place, severity in enumerate(SEVERITIES)} if name == "severity" else {}
    return sorted(
        every.items(),
        key=lambda item: (item[0] not in chosen, order.get(item[0], len(order)) if order else -item[1], item[0]),
    )


def _facet(
    name: str, ranked: Sequence[tuple[str, int]], chosen: Mapping[str, list[str]], known: Mapping[EntityRef, Node]
) -> Facet:
    values = [_value(name, value, count, chosen, known) for value, count in ranked[: _SHOWN + _UNFOLDED]]
    shown = max(_SHOWN, len(chosen[name]))
    return Facet(name, _titles()[name], values[:shown], values[shown:], len(ranked) - len(values))


def _value(
    name: str, value: str, count: int, chosen: Mapping[str, list[str]], known: Mapping[EntityRef, Node]
) -> Value:
    is_chosen = value in chosen[name]
    values = [item for item in chosen[name] if item != value] if is_chosen else [*chosen[name], value]
    label, note = _label(name, value, known)
    return Value(value, label, note, count, is_chosen, _url({**chosen, name: values}))


def _label(name: str, value: str, known: Mapping[EntityRef, Node]) -> tuple[str, str]:
    """Return what a value is called, and what stands beside it."""
    if value == NONE:
        return {"layer": gettext("In no layer"), "owner": gettext("Without an owner")}.get(name, gettext("None")), ""
    if name == "severity":
        return _severities().get(value, value), ""
    if name == "rule":
        return value, translated(PROBLEM_MESSAGES.get(value, ""))
    if name in {"layer", "owner"}:
        ref = EntityRef.parse(value, default_kind="layer" if name == "layer" else "group")
        return known[ref].title if ref in known else str(ref), str(ref)
    return value, ""


def _chips(chosen: Mapping[str, list[str]], known: Mapping[EntityRef, Node]) -> list[tuple[str, str, str]]:
    """Return what is chosen: in what, its name, the address of the page without it."""
    titles = _titles()
    return [
        (
            titles[name],
            _label(name, value, known)[0],
            _url({**chosen, name: [item for item in values if item != value]}),
        )
        for name, values in chosen.items()
        for value in values
    ]


def _url(chosen: Mapping[str, Collection[str]], *, page: int = 1) -> str:
    wanted: dict[str, Any] = {name: list(values) for name, values in chosen.items() if values}
    if page > 1:
        wanted["page"] = page
    return query_url("web.problems", wanted)


def _titles() -> dict[str, str]:
    return {
        "severity": gettext("Severity"),
        "rule": gettext("Rule"),
        "layer": gettext("Layer"),
        "owner": gettext("Owner"),
        "kind": gettext("Kind"),
        "ref": gettext("Entity"),
    }


def _severities() -> dict[str, str]:
    return {
        "error": gettext("Error in a file"),
        "enforce": gettext("Rule, enforced"),
        "warning": gettext("Warning in a file"),
        "warn": gettext("Rule, warning"),
        "exempt": gettext("Exempt for a time"),
    }
