"""Narrows the owners that a template's form offers to those who may own what it makes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from portal.errors import InputError
from portal.model.entity import ref_of
from portal.model.filter import AllOf, Match
from portal.model.leaves import leaves
from portal.model.query import EntityQuery
from portal.model.ref import PEOPLE, EntityRef
from portal.model.sentence import Sentence, every
from portal.scaffolder.owner_fields import Field, filter_of, owner_fields, with_owner_fields
from portal.scaffolder.parameters import owner_parameters
from portal.services.catalog import CatalogService
from portal.services.task_checks import OwnershipRules
from portal.services.task_rights import Creatable, TaskRights

#: So many owners a form offers, groups first: a browser asks for them by name, in one url.
MOST_OFFERED = 1_000
#: So many of the owners that a person may create for are looked at.
_MOST_LOOKED_AT = 10_000
_MOST_NAMED = 3
#: A name that no entity can have.
_NOBODY = {"kind": "Group", "metadata.name": "-"}


class OwnerRules(OwnershipRules, Protocol):
    """Says who may own, and where."""

    def able_owners(
        self, layers: Collection[str], owners: Sequence[EntityRef] | None = None, *, anywhere: bool = False
    ) -> Sequence[EntityRef]:
        """Return who of some owners may own in all of some layers; of everybody if None, groups first.

        With `anywhere` they may own in one at least of all the layers there are.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Owners:
    """Who may own what a template makes, with the document of each; `refusal` says why it is nobody."""

    entities: Mapping[EntityRef, Mapping[str, Any]]
    is_cut: bool = False
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class _Mine:
    """Whom a person may create for, with the document of each; `refs` has them in order, groups first."""

    entities: Mapping[EntityRef, Mapping[str, Any]]
    refs: Sequence[EntityRef]
    reason: str


class OwnerChoice:
    """Knows whom a person may let own what a template makes."""

    def __init__(self, catalog: CatalogService, rules: OwnerRules) -> None:
        self._catalog = catalog
        self._rules = rules

    def narrowed(
        self, template: Mapping[str, Any], form: dict[str, Any], rights: TaskRights | None, *, user: str | None
    ) -> dict[str, Any]:
        """Return a form in which the pickers of owners offer those alone who may own what the template creates.

        `form` is that of `parameter_schema`, `rights` are those of the person who asks, None for somebody who may do
        anything. A picker comes back with a `catalogFilter` of names, as pickers of entities understand it; one whose
        person may let nobody own says so in its description. A template that creates nothing is left as it is.
        """
        creates = creates_of(template)
        pages = [step["schema"] for step in form["steps"]]
        names = owner_parameters(pages)
        if not creates or not any(True for page in pages for _ in owner_fields(page, names)):
            return form
        owners = self._owners(creates, rights)
        documents = {ref: list(leaves(entity)) for ref, entity in owners.entities.items()}

        def change(field: Field) -> Field:
            wanted = filter_of(field)
            if field.get("ui:field") == "MyGroupsPicker" and user is not None:
                wanted = AllOf((wanted, Match.of("relations.hasMember", [user])))
            return _narrowed(field, [ref for ref in documents if wanted.matches(documents[ref])], owners)

        steps = [{**step, "schema": with_owner_fields(step["schema"], names, change)} for step in form["steps"]]
        return {**form, "steps": steps}

    def refusals(
        self, templates: Mapping[EntityRef, Mapping[str, Any]], rights: TaskRights | None
    ) -> Mapping[EntityRef, str]:
        """Return why a person may let nobody own what some templates make; those that are missing they can use."""
        found: dict[EntityRef, str] = {}
        known: dict[tuple[tuple[str, ...], bool], str] = {}
        defaults = self._rules.default_layers()
        mine = None if rights is None else self._creatable(rights.creatable())
        for ref, template in templates.items():
            creates = creates_of(template)
            if not creates:
                continue
            layers, is_told_later = _layers(creates, defaults)
            key = (tuple(layers), is_told_later)
            if key not in known:
                is_able = bool(self._able(layers, mine, anywhere=is_told_later))
                known[key] = "" if is_able else self._refusal(layers, mine)
            if known[key]:
                found[ref] = known[key]
        return found

    def _able(self, layers: Sequence[str], mine: _Mine | None, *, anywhere: bool) -> Sequence[EntityRef]:
        """Return who may own in some layers, of those whom a person may create for, None for everybody."""
        if mine is not None and not mine.refs:
            return []
        return self._rules.able_owners(layers, None if mine is None else mine.refs, anywhere=anywhere)

    def _creatable(self, creatable: Creatable) -> _Mine | None:
        """Return whom a person may create for, groups first; None for everybody."""
        if creatable.filter is None:
            return None
        people = AllOf((Match.of("kind", sorted(PEOPLE)), creatable.filter))
        page = self._catalog.query(EntityQuery(people), limit=_MOST_LOOKED_AT, with_total=False)
        entities = {ref_of(entity): entity for entity in map(orjson.loads, page.bodies)}
        return _Mine(entities, sorted(entities, key=_groups_first), creatable.reason)

    def _owners(self, creates: Sequence[Mapping[str, Any]], rights: TaskRights | None) -> _Owners:
        layers, is_told_later = _layers(creates, self._rules.default_layers())
        mine = None if rights is None else self._creatable(rights.creatable())
        able = self._able(layers, mine, anywhere=is_told_later)
        if not able:
            return _Owners({}, refusal=self._refusal(layers, mine))
        wanted = able[:MOST_OFFERED]
        if mine is None:
            entities = {ref: orjson.loads(body) for ref, body in self._catalog.by_refs(wanted).items()}
        else:
            entities = {ref: mine.entities[ref] for ref in wanted}
        return _Owners(entities, is_cut=len(able) > MOST_OFFERED)

    def _refusal(self, layers: Sequence[str], mine: _Mine | None) -> str:
        """Say why none of those that a person may create for, None for everybody, may own."""
        if mine is None:
            return Sentence("Nobody may own this in %(place)s: no group holds a role for it.", place=_joined(layers))
        if not mine.refs:
            return Sentence("You may create this for nobody: %(reason)s.", reason=mine.reason)
        found = (finding for layer in layers for finding in self._rules.check_owner(mine.refs[0], layer))
        why = next((item for item in found if item.severity == "enforce"), None)
        refused = Sentence(
            "You may create this for nobody: of %(owners)s none may own it in %(place)s.",
            owners=_listed(mine.refs),
            place=_joined(layers),
        )
        if why is None:
            return refused
        return Sentence("%(refused)s %(message)s %(fix)s", refused=refused, message=why.message, fix=why.fix)


def creates_of(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what a template says it creates: each a kind, with a layer where it says one."""
    said = template["spec"].get("creates")
    return [item for item in (said if isinstance(said, list) else ()) if isinstance(item, Mapping)]


def _layers(creates: Sequence[Mapping[str, Any]], defaults: Mapping[str, str]) -> tuple[list[str], bool]:
    """Return the layers that a template says it makes something in, and whether values yet to come name others."""
    said = [str(item.get("layer") or defaults.get(str(item.get("kind")).lower()) or "") for item in creates]
    is_told_later = any("${{" in text for text in said)
    return [text for text in dict.fromkeys(said) if text and "${{" not in text], is_told_later


def _narrowed(field: Field, refs: Sequence[EntityRef], owners: _Owners) -> Field:
    """Return a picker that offers these alone."""
    said = field.get("ui:options")
    options = (
        {name: value for name, value in said.items() if name != "allowedKinds"} if isinstance(said, Mapping) else {}
    )
    options["catalogFilter"] = list(_filters(refs)) or [_NOBODY]
    if not owners.is_cut:
        options["allowArbitraryValues"] = False
    changed = {**field, "ui:options": options}
    if field.get("ui:field") == "MyGroupsPicker":
        # It asks for the groups of the person by itself, and knows no option.
        changed["ui:field"] = "OwnerPicker"
    if not refs:
        able = _listed(list(owners.entities)) or Sentence("nobody")
        changed["description"] = owners.refusal or Sentence(
            "You may create this for %(owners)s; this field asks for others.", owners=able
        )
    if "default" in field and not _is_offered(field["default"], refs) and not owners.is_cut:
        del changed["default"]
    return changed


def _is_offered(value: Any, refs: Collection[EntityRef]) -> bool:
    """Return whether a value, or each of a list, is one of the owners."""
    try:
        return all(
            EntityRef.parse(text, default_kind="group") in refs
            for text in (value if isinstance(value, list) else [value])
        )
    except (InputError, TypeError, AttributeError):
        return False


def _filters(refs: Sequence[EntityRef]) -> Iterator[dict[str, Any]]:
    """Yield the filter of each kind and namespace, as the catalog's clients write them."""
    by_place: dict[tuple[str, str], list[str]] = {}
    for ref in refs:
        by_place.setdefault((ref.kind, ref.namespace), []).append(ref.name)
    for (kind, namespace), names in sorted(by_place.items()):
        yield {"kind": kind.capitalize(), "metadata.namespace": namespace, "metadata.name": sorted(names)}


def _groups_first(ref: EntityRef) -> tuple[bool, EntityRef]:
    return (ref.kind != "group", ref)


def _listed(refs: Sequence[EntityRef]) -> Sentence | list[EntityRef]:
    shown = list(refs[:_MOST_NAMED])
    if len(refs) <= _MOST_NAMED:
        return shown
    return Sentence("%(shown)s and %(count)s more", shown=shown, count=len(refs) - _MOST_NAMED)


def _joined(layers: Sequence[str]) -> str:
    return Sentence("the layer %(layers)s", layers=every(layers)) if layers else Sentence("any layer")
