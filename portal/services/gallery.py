"""Tells which templates there are, with what each creates, as whoever asks can use them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from portal.errors import InputError
from portal.model.entity import ref_of
from portal.model.filter import Match
from portal.model.layer import accountable_owner
from portal.model.query import EntityQuery
from portal.model.ref import EntityRef
from portal.scaffolder.task import API_VERSION
from portal.services.catalog import CatalogService
from portal.services.owner_choice import OwnerChoice, OwnerRules, creates_of
from portal.services.task_rights import TaskRights

#: So many templates are looked at; an organisation with more of them asks the catalog.
MOST_TEMPLATES = 1_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A template; `layers` and `kinds` are what it creates, `refusal` says why the person can let nobody own that.

    A layer that the values of the form name is not among them.
    """

    ref: EntityRef
    title: str
    description: str
    type: str
    owner: EntityRef | None
    tags: tuple[str, ...]
    kinds: tuple[str, ...]
    layers: tuple[EntityRef, ...]
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which templates are wanted: those that hold the text, and have each of the others that is not empty."""

    text: str = ""
    layer: str = ""
    kind: str = ""
    tag: str = ""
    owner: str = ""
    usable: bool = False

    def fits(self, offer: Offer) -> bool:
        """Return whether a template is one of them."""
        return all(test(offer) for test in self._tests())

    def but(self, name: str) -> Wanted:
        """Return the same without one of the conditions."""
        members = {field: getattr(self, field) for field in ("text", "layer", "kind", "tag", "owner", "usable")}
        return Wanted(**{**members, name: False if name == "usable" else ""})

    def _tests(self) -> Iterable[Callable[[Offer], bool]]:
        for word in self.text.lower().split():
            yield lambda offer, word=word: word in _words_of(offer)  # type: ignore[misc]  # bound now
        if self.layer:
            yield lambda offer: self.layer in (offer.layers or ("none",))
        if self.kind:
            yield lambda offer: self.kind in map(str.lower, offer.kinds)
        if self.tag:
            yield lambda offer: self.tag in offer.tags
        if self.owner:
            yield lambda offer: self.owner == offer.owner
        if self.usable:
            yield lambda offer: not offer.refusal


@dataclass(frozen=True, slots=True)
class Gallery:
    """The templates that are wanted, with how many there would be for each value of a condition; `more` were cut off.

    `total` counts all templates that may be read.
    """

    offers: Sequence[Offer]
    counts: Mapping[str, Mapping[str, int]]
    total: int
    more: int


class GalleryService:
    """Lists templates as whoever asks sees the catalog."""

    def __init__(self, catalog: CatalogService, rules: OwnerRules) -> None:
        self._catalog = catalog
        self._rules = rules
        self._choice = OwnerChoice(catalog, rules)

    def list(self, wanted: Wanted, rights: TaskRights | None) -> Gallery:
        """Return the templates that are wanted, by title; `rights` are those of the person who asks."""
        page = self._catalog.query(EntityQuery(Match.of("kind", ["template"])), limit=MOST_TEMPLATES)
        templates = {ref_of(found): found for found in map(orjson.loads, page.bodies) if _is_usable(found)}
        offers = self._offers(templates, rights)
        shown = sorted(filter(wanted.fits, offers), key=lambda offer: (offer.title.lower(), offer.ref))
        return Gallery(shown, _counts(offers, wanted), len(offers), max(page.total_items - len(page.bodies), 0))

    def offer(self, template: Mapping[str, Any], rights: TaskRights | None) -> Offer:
        """Return one template as the list has it."""
        (found,) = self._offers({ref_of(template): template}, rights)
        return found

    def _offers(self, templates: Mapping[EntityRef, Mapping[str, Any]], rights: TaskRights | None) -> Sequence[Offer]:
        refusals = self._choice.refusals(templates, rights)
        defaults = self._rules.default_layers()
        return [
            _offer(ref, template, defaults=defaults, refusal=refusals.get(ref, ""))
            for ref, template in templates.items()
        ]


def _is_usable(template: Mapping[str, Any]) -> bool:
    return template.get("apiVersion") == API_VERSION


def _offer(ref: EntityRef, template: Mapping[str, Any], *, defaults: Mapping[str, str], refusal: str) -> Offer:
    metadata, spec = template["metadata"], template["spec"]
    creates = creates_of(template)
    layers = [_layer(str(item.get("layer") or defaults.get(str(item.get("kind")).lower()) or "")) for item in creates]
    return Offer(
        ref,
        str(metadata.get("title") or ref.name),
        str(metadata.get("description") or ""),
        str(spec.get("type") or ""),
        accountable_owner(template, ref),
        tuple(map(str, metadata.get("tags") or ())),
        tuple(dict.fromkeys(str(item.get("kind")) for item in creates)),
        tuple(dict.fromkeys(layer for layer in layers if layer is not None)),
        refusal,
    )


def _layer(name: str) -> EntityRef | None:
    """Return the layer that a name stands for, None where values of the form name it."""
    if not name or "${{" in name:
        return None
    try:
        return EntityRef.parse(name, default_kind="layer")
    except InputError:
        return None


def _words_of(offer: Offer) -> str:
    """Return all that a search looks at."""
    return " ".join((offer.title, offer.ref, offer.description, offer.type, *offer.tags, *offer.kinds)).lower()


def _counts(offers: Sequence[Offer], wanted: Wanted) -> Mapping[str, Mapping[str, int]]:
    """Return how many templates each value of a condition would leave, the others being as they are."""
    values: Mapping[str, Callable[[Offer], Iterable[str]]] = {
        "layer": lambda offer: offer.layers or ("none",),
        "kind": lambda offer: map(str.lower, offer.kinds),
        "tag": lambda offer: offer.tags,
        "owner": lambda offer: () if offer.owner is None else (offer.owner,),
    }
    found = {}
    for name, values_of in values.items():
        others = filter(wanted.but(name).fits, offers)
        found[name] = dict(sorted(Counter(value for offer in others for value in values_of(offer)).items()))
    return found
