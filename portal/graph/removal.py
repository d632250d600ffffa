"""Says what would break if an entity were removed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from portal.model.kind import Kinds
from portal.model.ref import EntityRef
from portal.model.relation import OWNED_BY, Relation
from portal.model.sentence import Sentence

#: What follows for an entity whose relation of a type would lead to nothing.
_WHY = MappingProxyType(
    {
        "childOf": Sentence("its parent would not be there"),
        "inLayer": Sentence("its layer would not be there"),
        "memberOf": Sentence("it would be a member of a group that is not there"),
        "ownedBy": Sentence("nobody would answer for it"),
        "partOf": Sentence("it would be part of what is not there"),
        "stewardedBy": Sentence("a steward of it would not be there"),
    }
)
_NAMED = Sentence("what it names would not be there")
_FEWER_OWNERS = Sentence("it would have an owner less")
#: Relations that an entity may have by what another one declares, with what it would have to do without.
_GIVEN: Mapping[str, Callable[[EntityRef], Sentence]] = MappingProxyType(
    {
        "apiProvidedBy": lambda root: Sentence("nothing would provide it for %(root)s", root=root),
        "childOf": lambda root: Sentence("it is below %(root)s only by what that declares", root=root),
        "memberOf": lambda root: Sentence("it is a member of %(root)s only by what that declares", root=root),
        "partOf": lambda root: Sentence("it is part of %(root)s only by what that declares", root=root),
        "producedBy": lambda root: Sentence("it is produced by %(root)s only by what that declares", root=root),
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """What an entity would lose: a relation of a type, and why that matters in words.

    `field` is the field that would lead nowhere; None where another entity declares it, or several fields may.
    `spec.owner` stands for the first of `spec.owners` too, where that is the accountable one.
    """

    ref: EntityRef
    relation: str
    why: str
    field: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the break as JSON tells it."""
        return {"ref": self.ref, "relation": self.relation, "field": self.field, "why": self.why}


def breaks_of(
    root: EntityRef,
    relations: Collection[tuple[Relation, bool]],
    layers: Mapping[EntityRef, tuple[EntityRef | None, EntityRef | None]],
    *,
    accountable_for: Collection[EntityRef],
    kinds: Kinds,
) -> list[Break]:
    """Return what would break without `root`, sorted by entity.

    `relations` are those that lead to it, each with whether `root` declares it itself; `layers` map what would stand in
    another layer to the layer before and the one after. `accountable_for` is what `root` answers for, of what it owns.
    """
    fields: dict[tuple[str, str], str | None] = {}
    declared = {relation for relation, by_root in relations if not by_root}
    found = []
    for relation, by_root in relations:
        if relation.source == root:
            continue
        if not by_root:
            place = (relation.source.kind, relation.type)
            if place not in fields:
                fields[place] = _field(*place, kinds=kinds)
            field, reason = fields[place], _WHY.get(relation.type, _NAMED)
            if relation.type == OWNED_BY.forward:
                is_accountable = relation.source in accountable_for
                field = "owner" if is_accountable else "owners"
                reason = reason if is_accountable else _FEWER_OWNERS
            where = f"spec.{field}" if field else Sentence('a relation "%(type)s"', type=relation.type)
            why = Sentence("%(where)s leads to %(root)s: %(reason)s", where=where, root=root, reason=reason)
            found.append(Break(relation.source, relation.type, why, f"spec.{field}" if field else None))
        elif relation not in declared and relation.type in _GIVEN:
            found.append(Break(relation.source, relation.type, _GIVEN[relation.type](root)))
    for ref, (before, after) in layers.items():
        why = Sentence(
            "it stands %(now)s through %(root)s and would stand %(then)s",
            now=_place(before),
            root=root,
            then=_place(after),
        )
        found.append(Break(ref, "inLayer", why))
    return sorted(set(found), key=lambda item: (item.ref, item.relation, item.why))


def _place(layer: EntityRef | None) -> Sentence:
    return Sentence("in the layer %(layer)s", layer=layer.name) if layer else Sentence("in no layer")


def _field(name: str, relation: str, *, kinds: Kinds) -> str | None:
    """Return the field of a kind's spec that declares a relation of a type, None where not just one can."""
    kind = kinds.named(name)
    fields = (item for found in (kind.relation_fields.values() if kind else ()) for item in found)
    names = {item.field.data_key or item.name for item in fields if item.emits.forward == relation}
    return names.pop() if len(names) == 1 else None
