"""Derives the relations that an entity declares, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from portal.errors import InputError
from portal.model.entity import TEMPLATE_ANNOTATION
from portal.model.fields import instead_of
from portal.model.kind import Kind
from portal.model.ref import EntityRef
from portal.model.relation import GENERATED_FROM, DeclaredRelation, Relation, RelationType


def relate(ref: EntityRef, declared: Mapping[str, Any], kind: Kind) -> list[Relation]:
    """Return the relations that one entity declares, sorted, without duplicates; a target need not exist.

    Short references take the default kind of their field and the entity's own namespace. Rule: catalog-backend 4.0.0
    `BuiltinKindsEntityProcessor.postProcessEntity`.
    """
    found: set[Relation] = set()
    for emitted, inverse, target in declared_relations(ref, declared, kind):
        found.add(Relation(ref, emitted, EntityRef(target)))
        found.add(Relation(EntityRef(target), inverse, ref))
    return sorted(found)


def declared_relations(ref: EntityRef, declared: Mapping[str, Any], kind: Kind) -> list[DeclaredRelation]:
    """Return the relations that one entity declares, as it tells them; none comes twice."""
    found = [DeclaredRelation(emits.forward, emits.inverse, to) for emits, to in _declared(ref, declared, kind)]
    return list(dict.fromkeys(found))


def _declared(ref: EntityRef, declared: Mapping[str, Any], kind: Kind) -> Iterator[tuple[RelationType, EntityRef]]:
    spec = declared.get("spec") or {}
    namespace = ref.namespace
    for field in kind.relation_fields[kind.schema_for(spec)]:
        if field.name not in spec:
            continue
        for target in _targets(spec[field.name], field.field, field.default_kind, namespace):
            yield field.emits, target
    template = (declared["metadata"].get("annotations") or {}).get(TEMPLATE_ANNOTATION)
    if template:
        try:
            yield GENERATED_FROM, EntityRef.parse(template, default_kind="Template")
        except InputError:
            return


def declared_targets(ref: EntityRef, declared: Mapping[str, Any], kind: Kind) -> dict[str, EntityRef]:
    """Return the entities that fields with one reference name (`owner`), by field; malformed ones are left out.

    Where the field is absent and a list stands in for it (`owners`), the list's first counts.
    """
    spec = declared.get("spec") or {}
    namespace = ref.namespace
    found: dict[str, EntityRef] = {}
    schema = kind.schema_for(spec)
    for field in kind.relation_fields[schema]:
        text = spec.get(field.name)
        if isinstance(text, str) and text:
            try:
                found[field.name] = _parse(text, field.default_kind, namespace)
            except InputError:
                continue
        elif field.name not in spec and (several := instead_of(field.field)) and several in spec:
            for target in _targets(spec[several], schema.fields[several], field.default_kind, namespace)[:1]:
                found[field.name] = target
    return found


def _targets(value: Any, field: Any, default_kind: str | None, namespace: str) -> list[EntityRef]:
    """Return what the value of a field names; none of it where any of it is malformed."""
    try:
        return [_parse(text, default_kind, namespace) for text in field.refs(value)]
    except (InputError, TypeError, KeyError, AttributeError):
        # Only a lenient field gets here with a value that is no reference; its warning has been given.
        return []


@lru_cache(maxsize=16_384)
def _parse(text: str, default_kind: str | None, namespace: str) -> EntityRef:
    """Return what a reference stands for; a catalog names few entities often."""
    return EntityRef.parse(text, default_kind=default_kind, default_namespace=namespace)
