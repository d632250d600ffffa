"""Decides whether a document is an entity, naming every fault at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import orjson

from portal.errors import InputError
from portal.model.entity import Entity, entity_of
from portal.model.envelope import FieldFault, Path, envelope_faults, is_kind, is_namespace, is_object_name, value_at
from portal.model.fields import Fault, PortalField
from portal.model.kind import Kind, Kinds
from portal.model.problem import Problem
from portal.model.ref import EntityRef, split_ref
from portal.model.sentence import Sentence, either

#: Tells what there is to warn of in a document that may come in.
Examine = Callable[[Mapping[str, Any]], Iterable[FieldFault]]

_SHOWN_CHARACTERS = 80
#: PostgreSQL has no text with this character, and a catalog must mean the same on each database.
_NUL = Fault("field-invalid", Sentence("text without the character U+0000"))
_NUL_IN_JSON = "\\u0000"


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a document.

    `entity` is None when any fault is not lenient; `ref` is what the document claims to be, also when it is faulty, or
    None where that cannot be known.
    """

    entity: Entity | None
    kind: Kind | None
    ref: EntityRef | None
    faults: tuple[FieldFault, ...]


def check(document: Any, *, kinds: Kinds) -> Checked:
    """Check the envelope and the spec of one parsed document against the kinds that are known."""
    if not isinstance(document, dict):
        fault = Fault("not-a-mapping", Sentence("a mapping with apiVersion, kind, metadata and spec"))
        return Checked(None, None, None, (FieldFault((), fault, document),))
    faults = list(envelope_faults(document))
    kind = _kind_of(document, kinds)
    if kind is not None:
        faults.extend(_spec_faults(document, kind))
    elif not any(fault.path[:1] in {("kind",), ("apiVersion",)} for fault in faults):
        faults.append(_unknown_kind(document, kinds))
    ref = _claimed_ref(document)
    if kind is not None and kind.further is not None and not faults:
        faults.extend(kind.further(document, kinds))
    if any(not fault.lenient for fault in faults) or kind is None:
        return Checked(None, kind, ref, tuple(faults))
    entity = entity_of(document)
    if _NUL_IN_JSON in entity.text:
        faults += _nul_faults(document, ())
    if any(fault.fault is _NUL for fault in faults):
        return Checked(None, kind, ref, tuple(faults))
    return Checked(entity, kind, entity.ref, tuple(faults))


def problem_of(fault: FieldFault, *, ref: str | None = None) -> Problem:
    """Return the problem that tells of a fault; its place in the file is added by who knows the file.

    What was found is shown as it stands in the document, unless it is a sentence already.
    """
    found = fault.found if isinstance(fault.found, Sentence) else shown(fault.found)
    return Problem(
        code=fault.fault.code,
        field=field_name(fault.path),
        found="" if fault.fault.code == "field-missing" else found,
        expected=fault.fault.expected,
        hint=fault.fault.hint,
        ref=ref,
        severity="warning" if fault.lenient else "error",
    )


def field_name(path: Path) -> str:
    """Return the dotted name of a field, for example `spec.dependsOn.0`."""
    return ".".join(str(part) for part in path).replace("\0", "\\0")


def shown(value: Any) -> str:
    """Return a value as a message shows it: JSON, cut after 80 characters."""
    text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _nul_faults(value: Any, path: Path) -> Iterator[FieldFault]:
    """Yield where texts or keys hold the character that no database column can."""
    if isinstance(value, str):
        if "\0" in value:
            yield FieldFault(path, _NUL, value)
    elif isinstance(value, dict):
        for key, item in value.items():
            if "\0" in str(key):
                yield FieldFault((*path, key), _NUL, key)
            else:
                yield from _nul_faults(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _nul_faults(item, (*path, position))


def _kind_of(document: Mapping[str, Any], kinds: Kinds) -> Kind | None:
    name, version = document.get("kind"), document.get("apiVersion")
    if not isinstance(name, str) or not isinstance(version, str):
        return None
    return kinds.find(name, version)


def _unknown_kind(document: Mapping[str, Any], kinds: Kinds) -> FieldFault:
    name, version = str(document.get("kind")), str(document.get("apiVersion"))
    known = kinds.named(name)
    if known is not None and known.name == name:
        return FieldFault(
            ("apiVersion",),
            Fault(
                "kind-unknown",
                Sentence("%(versions)s for %(name)s", versions=either(sorted(known.api_versions)), name=name),
            ),
            version,
        )
    names = [kind.name for kind in kinds]
    lowered = {kind_name.lower(): kind_name for kind_name in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    expected = Sentence("one of %(names)s", names=names)
    if close:
        expected = Sentence("%(expected)s (did you mean %(kind)s?)", expected=expected, kind=lowered[close[0]])
    return FieldFault(("kind",), Fault("kind-unknown", expected), name)


def _claimed_ref(document: Mapping[str, Any]) -> EntityRef | None:
    metadata = document.get("metadata")
    kind = document.get("kind")
    if not isinstance(metadata, dict) or not isinstance(kind, str) or not is_kind(kind):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace", "default")
    if not isinstance(name, str) or not isinstance(namespace, str):
        return None
    if not is_object_name(name) or not is_namespace(namespace):
        return None
    return EntityRef.of(kind, namespace, name)


def _spec_faults(document: Mapping[str, Any], kind: Kind) -> Iterator[FieldFault]:
    if "spec" not in document:
        yield FieldFault(("spec",), Fault("field-missing", Sentence("a mapping")))
        return
    spec = document["spec"]
    if not isinstance(spec, dict):
        return
    schema = kind.schema_for(spec)
    errors = {} if schema.accepts(spec) else schema.validate(spec)
    for name, error in errors.items():
        field = schema.fields.get(str(name))
        lenient = schema.is_lenient(str(name), spec)
        for path, fault in _flattened(error, ("spec", name)):
            yield FieldFault(path, _hinted(fault, field), value_at(document, path), lenient)
    for relation_field in kind.relation_fields[schema]:
        if relation_field.name in spec and relation_field.name not in errors:
            for path, text in _ref_texts(spec[relation_field.name], ("spec", relation_field.name)):
                malformed = _ref_fault(text, default_kind=relation_field.default_kind)
                if malformed is not None:
                    lenient = schema.is_lenient(relation_field.name, spec)
                    yield FieldFault(path, _hinted(malformed, relation_field.field), text, lenient)


def _hinted(fault: Fault, field: object) -> Fault:
    return replace(fault, hint=field.hint) if isinstance(field, PortalField) and field.hint else fault


def _flattened(errors: Any, path: Path) -> Iterator[tuple[Path, Fault]]:
    """Yield the faults of marshmallow's nested error mapping with their paths."""
    if isinstance(errors, Mapping):
        for key, nested in errors.items():
            yield from _flattened(nested, path if key == "_schema" else (*path, key))
        return
    for item in errors if isinstance(errors, list) else [errors]:
        yield path, item if isinstance(item, Fault) else Fault("field-invalid", str(item))


def _ref_texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
        return
    for index, item in enumerate(value):
        if isinstance(item, str):
            yield (*path, index), item
        else:
            yield (*path, index, "ref"), item["ref"]


@lru_cache(maxsize=16_384)
def _ref_fault(text: str, *, default_kind: str | None) -> Fault | None:
    try:
        split_ref(text, default_kind=default_kind)
    except InputError:
        form = "[kind:][namespace/]name" if default_kind else "kind:[namespace/]name"
        return Fault("field-invalid", Sentence("an entity reference of the form %(form)s", form=form))
    return None
