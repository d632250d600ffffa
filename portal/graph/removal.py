"""Says what would break if an entity were removed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from portal.model.kind import Kinds
from portal.model.layer import named
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


#: Fields of spec that name roles, or layers, without a relation: by the kind that has them, with the kind named.
_NAMING: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "kinddefinition": (("layer", "layer"),),
        "layer": (("ownerRoles", "role"), ("stewards", "role"), ("approvers", "role"), ("mayDependOn", "layer")),
        "policy": (("layers", "layer"),),
        "project": (("needs", "role"),),
        "role": (("layers", "layer"),),
    }
)
#: What `Break.relation` says of them, and of entities of a kind that would not be known.
_NAMES, _OF_KIND = "names", "ofKind"


def naming_kinds(root: EntityRef) -> list[str]:
    """Return the kinds whose fields may name an entity like `root` without a relation."""
    return [kind for kind, fields in _NAMING.items() if any(named == root.kind for _, named in fields)]


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """What an entity would lose: a relation of a type, and why that matters in words.

    Beside types `relation` may be `names`, of a field that no relation follows from, or `ofKind`.

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
    documents: Mapping[EntityRef, Mapping[str, Any]] = MappingProxyType({}),
    of_kind: Collection[EntityRef] = (),
) -> list[Break]:
    """Return what would break without `root`, sorted by entity.

    `relations` are those that lead to it, each with whether `root` declares it itself; `layers` map what would stand in
    another layer to the layer before and the one after. `accountable_for` is what `root` answers for, of what it owns;
    `documents` are those of `naming_kinds`, `of_kind` the entities of the kind that `root` declares.
    """
    fields: dict[tuple[str, str], Sequence[str]] = {}
    declared = {relation for relation, by_root in relations if not by_root}
    found = []
    for relation, by_root in relations:
        if relation.source == root:
            continue
        if not by_root:
            place = (relation.source.kind, relation.type)
            if place not in fields:
                fields[place] = _fields(*place, root.kind, kinds=kinds)
            names, reason = fields[place], _WHY.get(relation.type, _NAMED)
            if relation.type == OWNED_BY.forward:
                is_accountable = relation.source in accountable_for
                names = ["owner" if is_accountable else "owners"]
                reason = reason if is_accountable else _FEWER_OWNERS
            where = " or ".join(f"spec.{name}" for name in names) or Sentence(
                'a relation "%(type)s"', type=relation.type
            )
            why = Sentence("%(where)s leads to %(root)s: %(reason)s", where=where, root=root, reason=reason)
            found.append(Break(relation.source, relation.type, why, f"spec.{names[0]}" if len(names) == 1 else None))
        elif relation not in declared and relation.type in _GIVEN:
            found.append(Break(relation.source, relation.type, _GIVEN[relation.type](root)))
    found += _moved(root, layers)
    found += [
        Break(
            ref, _NAMES, Sentence("%(where)s names %(root)s, which would not be there", where=field, root=root), field
        )
        for ref, body in documents.items()
        if ref != root
        for field in _fields_naming(root, ref, body)
    ]
    found += [Break(ref, _OF_KIND, Sentence("its kind would not be known")) for ref in of_kind]
    return sorted(set(found), key=lambda item: (item.ref, item.relation, item.why))


def _moved(root: EntityRef, layers: Mapping[EntityRef, tuple[EntityRef | None, EntityRef | None]]) -> Iterable[Break]:
    for ref, (before, after) in layers.items():
        then = _place(after)
        why = (
            Sentence("it stands there through its system, domain or kind, and would stand %(then)s", then=then)
            if before == root
            else Sentence(
                "it stands %(now)s through %(root)s and would stand %(then)s",
                now=_place(before),
                root=root,
                then=then,
            )
        )
        yield Break(ref, "inLayer", why)


def _fields_naming(root: EntityRef, ref: EntityRef, body: Mapping[str, Any]) -> Iterable[str]:
    spec = body.get("spec") or {}
    for field, kind in _NAMING.get(ref.kind, ()):
        told = spec.get(field)
        items = told if isinstance(told, list) else [told]
        texts = [item.get(kind) if isinstance(item, dict) else item for item in items]
        if kind == root.kind and any(isinstance(text, str) and named(kind, text, ref) == root for text in texts):
            yield f"spec.{field}"


def _place(layer: EntityRef | None) -> Sentence:
    return Sentence("in the layer %(layer)s", layer=layer.name) if layer else Sentence("in no layer")


def _fields(name: str, relation: str, target: str, *, kinds: Kinds) -> Sequence[str]:
    """Return the fields of a kind's spec that may declare a relation of a type to an entity of a kind, sorted.

    Those meant for that kind, where there are any.
    """
    kind = kinds.named(name)
    fields = (item for found in (kind.relation_fields.values() if kind else ()) for item in found)
    meant: dict[str, bool] = {}
    for item in fields:
        if item.emits.forward == relation:
            meant[item.field.data_key or item.name] = (item.field.default_kind or "").lower() == target
    return sorted(field for field, is_meant in meant.items() if is_meant or not any(meant.values()))
