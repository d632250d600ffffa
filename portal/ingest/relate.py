"""Derives the relations that an entity declares, in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from portal.errors import InputError
from portal.model.entity import TEMPLATE_ANNOTATION, Entity
from portal.model.kind import Kind
from portal.model.ref import EntityRef
from portal.model.relation import GENERATED_FROM, Relation, RelationType


def relate(entity: Entity, kind: Kind) -> list[Relation]:
    """Return the relations of one entity, sorted, without duplicates; a target need not exist.

    Short references take the default kind of their field and the entity's own namespace. Rule: catalog-backend 4.0.0
    `BuiltinKindsEntityProcessor.postProcessEntity`.
    """
    found: set[Relation] = set()
    for emits, target in _declared(entity, kind):
        found.add(Relation(entity.ref, emits.forward, target))
        found.add(Relation(target, emits.inverse, entity.ref))
    return sorted(found)


def _declared(entity: Entity, kind: Kind) -> Iterator[tuple[RelationType, EntityRef]]:
    spec = entity.spec
    namespace = entity.ref.namespace
    for field in kind.relation_fields[kind.schema_for(spec)]:
        if field.name not in spec:
            continue
        try:
            targets = [_parse(text, field.default_kind, namespace) for text in field.field.refs(spec[field.name])]
        except (InputError, TypeError, KeyError, AttributeError):
            # Only a lenient field gets here with a value that is no reference; its warning has been given.
            continue
        for target in targets:
            yield field.emits, target
    template = ((entity.declared["metadata"].get("annotations")) or {}).get(TEMPLATE_ANNOTATION)
    if template:
        try:
            yield GENERATED_FROM, EntityRef.parse(template, default_kind="Template")
        except InputError:
            return


def declared_targets(entity: Entity, kind: Kind) -> dict[str, EntityRef]:
    """Return the entities that fields with one reference name (`owner`), by field; malformed ones are left out."""
    spec = entity.spec
    namespace = entity.ref.namespace
    found: dict[str, EntityRef] = {}
    for field in kind.relation_fields[kind.schema_for(spec)]:
        text = spec.get(field.name)
        if isinstance(text, str) and text:
            try:
                found[field.name] = _parse(text, field.default_kind, namespace)
            except InputError:
                continue
    return found


@lru_cache(maxsize=16_384)
def _parse(text: str, default_kind: str | None, namespace: str) -> EntityRef:
    """Return what a reference stands for; a catalog names few entities often."""
    return EntityRef.parse(text, default_kind=default_kind, default_namespace=namespace)
