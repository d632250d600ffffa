"""The envelope that every entity shares: root fields, metadata, the formats of names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from portal.model.fields import Fault
from portal.model.sentence import Sentence

Path = tuple[str | int, ...]

#: What a catalog says again and again is checked once.
_remembered = lru_cache(maxsize=4_096)


class FieldFault(NamedTuple):
    """A fault at a place of a document: the path of the field, what was found there, and what was expected.

    A `lenient` fault does not keep the document out of the catalog.
    """

    path: Path
    fault: Fault
    found: Any = None
    lenient: bool = False


_ROOT_FIELDS = ("apiVersion", "kind", "metadata", "spec")
_OBJECT_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_DNS_LABEL = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[a-z0-9:+#]+(?:-[a-z0-9:+#]+)*", re.ASCII)
_KIND = re.compile(r"[a-zA-Z][a-z0-9A-Z]*", re.ASCII)
_VERSION = re.compile(r"[a-z0-9A-Z]+", re.ASCII)
_URL_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:", re.ASCII)
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.\-]+(?:/[A-Za-z0-9./_\-?=&%#]*)?", re.ASCII)
_NAME_LENGTH = 63
_PREFIX_LENGTH = 253
#: Schemes whose urls need a host (WHATWG "special" schemes, as `new URL` of a browser checks them).
_HOST_SCHEMES = frozenset({"http", "https", "ftp", "ws", "wss"})

_TEXT = Fault("field-invalid", Sentence("a text that is not empty"))
_ANY_TEXT = Fault("field-invalid", Sentence("a text"))
_MAPPING = Fault("field-invalid", Sentence("a mapping"))
_LIST = Fault("field-invalid", Sentence("a list"))
_NAME_FAULT = Fault(
    "field-invalid",
    Sentence("letters, digits, '-', '_', '.', with a letter or digit at both ends, at most 63 characters"),
)
_LABEL_VALUE = Fault("field-invalid", Sentence("empty, or %(expected)s", expected=_NAME_FAULT.expected))
_KEY = Fault(
    "field-invalid",
    Sentence("a name, or a lower-case DNS prefix, '/' and a name (letters, digits, '-', '_', '.', at most 63)"),
)
_NAMESPACE = Fault("field-invalid", Sentence("lower-case letters and digits, separated by '-', at most 63 characters"))
_TAG_FAULT = Fault(
    "field-invalid", Sentence("lower-case letters, digits, ':', '+', '#', separated by '-', at most 63 characters")
)
_KIND_FAULT = Fault("field-invalid", Sentence("a letter, then letters and digits, at most 63 characters"))
_VERSION_FAULT = Fault(
    "field-invalid", Sentence("a version such as v1alpha1, or a lower-case DNS prefix, '/' and a version")
)
_URL = Fault("field-invalid", Sentence("a url with its scheme, such as https://example.com"))


def is_object_name(value: str) -> bool:
    """Return whether this may be an entity's name."""
    return len(value) <= _NAME_LENGTH and _OBJECT_NAME.fullmatch(value) is not None


@_remembered
def is_namespace(value: str) -> bool:
    """Return whether this may be a namespace."""
    return len(value) <= _NAME_LENGTH and _DNS_LABEL.fullmatch(value) is not None


@_remembered
def is_tag(value: str) -> bool:
    """Return whether this may be a tag."""
    return len(value) <= _NAME_LENGTH and _TAG.fullmatch(value) is not None


@_remembered
def is_api_version(value: str) -> bool:
    """Return whether this may be an apiVersion."""
    return _is_prefixed(value, lambda rest: len(rest) <= _NAME_LENGTH and _VERSION.fullmatch(rest) is not None)


@_remembered
def is_key(value: str) -> bool:
    """Return whether this may be the key of a label or annotation."""
    return _is_prefixed(value, is_object_name)


@_remembered
def is_kind(value: str) -> bool:
    """Return whether this may be the name of a kind."""
    return len(value) <= _NAME_LENGTH and _KIND.fullmatch(value) is not None


def is_url(value: str) -> bool:
    """Return whether a browser's `new URL(value)` takes this as an absolute url."""
    if _PLAIN_URL.fullmatch(value):
        return True
    text = value.strip()
    if not _URL_SCHEME.match(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.netloc or parts.path.strip("/")) if parts.scheme.lower() in _HOST_SCHEMES else True


def _is_prefixed(value: str, is_rest: Callable[[str], bool]) -> bool:
    parts = value.split("/")
    if len(parts) == 1:
        return is_rest(parts[0])
    prefix, rest = parts[0], parts[1]
    return (
        len(parts) == 2  # noqa: PLR2004  # a prefix and what it stands before
        and 1 <= len(prefix) <= _PREFIX_LENGTH
        and all(is_namespace(label) for label in prefix.split("."))
        and is_rest(rest)
    )


def envelope_faults(document: Mapping[str, Any]) -> Iterator[FieldFault]:
    """Yield all faults of a document's root fields and metadata; what stands in `spec` is the kind's matter.

    Rules: catalog-model 1.10.1 `Entity.schema.json`, `EntityMeta.schema.json`, `FieldFormatEntityPolicy`,
    `NoForeignRootFieldsEntityPolicy`.
    """
    for key in document:
        if key not in _ROOT_FIELDS:
            yield FieldFault(
                (key,), Fault("field-unknown", Sentence("only %(known)s", known=list(_ROOT_FIELDS))), document[key]
            )
    yield from _text(document, "apiVersion", (), check=is_api_version, fault=_VERSION_FAULT)
    yield from _text(document, "kind", (), check=is_kind, fault=_KIND_FAULT)
    if "spec" in document and not isinstance(document["spec"], dict):
        yield FieldFault(("spec",), _MAPPING, document["spec"])
    if "metadata" not in document:
        yield FieldFault(("metadata",), Fault("field-missing", Sentence("a mapping with a name")))
        return
    metadata = document["metadata"]
    if not isinstance(metadata, dict):
        yield FieldFault(("metadata",), _MAPPING, metadata)
        return
    yield from _metadata_faults(metadata)


def _metadata_faults(metadata: Mapping[str, Any]) -> Iterator[FieldFault]:
    root = ("metadata",)
    yield from _text(metadata, "name", root, check=is_object_name, fault=_NAME_FAULT)
    for key, check, fault in (
        ("namespace", is_namespace, _NAMESPACE),
        ("title", None, _TEXT),
        ("uid", None, _TEXT),
        ("etag", None, _TEXT),
    ):
        if key in metadata:
            yield from _text(metadata, key, root, check=check, fault=fault)
    if "description" in metadata and not isinstance(metadata["description"], str):
        yield FieldFault(("metadata", "description"), _ANY_TEXT, metadata["description"])
    for key, is_value in (("labels", _is_label_value), ("annotations", None)):
        if key in metadata:
            yield from _map_faults(metadata[key], ("metadata", key), is_value=is_value)
    if "tags" in metadata:
        yield from _tag_faults(metadata["tags"])
    if "links" in metadata:
        yield from _link_faults(metadata["links"])


@_remembered
def _is_label_value(value: str) -> bool:
    return not value or is_object_name(value)


def _text(
    mapping: Mapping[str, Any], key: str, root: Path, *, check: Callable[[str], bool] | None, fault: Fault
) -> Iterator[FieldFault]:
    if key not in mapping:
        yield FieldFault((*root, key), Fault("field-missing", fault.expected))
        return
    value = mapping[key]
    if not isinstance(value, str) or not value or (check is not None and not check(value)):
        yield FieldFault((*root, key), fault, value)


def _map_faults(value: Any, path: Path, *, is_value: Callable[[str], bool] | None) -> Iterator[FieldFault]:
    if not isinstance(value, dict):
        yield FieldFault(path, _MAPPING, value)
        return
    for key, item in value.items():
        if not is_key(key):
            yield FieldFault((*path, key), _KEY, key)
        elif not isinstance(item, str):
            yield FieldFault((*path, key), _ANY_TEXT, item)
        elif is_value is not None and not is_value(item):
            yield FieldFault((*path, key), _LABEL_VALUE, item)


def _tag_faults(tags: Any) -> Iterator[FieldFault]:
    if not isinstance(tags, list):
        yield FieldFault(("metadata", "tags"), _LIST, tags)
        return
    for index, tag in enumerate(tags):
        if not isinstance(tag, str) or not is_tag(tag):
            yield FieldFault(("metadata", "tags", index), _TAG_FAULT, tag)


def _link_faults(links: Any) -> Iterator[FieldFault]:
    if not isinstance(links, list):
        yield FieldFault(("metadata", "links"), _LIST, links)
        return
    for index, link in enumerate(links):
        path: Path = ("metadata", "links", index)
        if not isinstance(link, dict):
            yield FieldFault(path, _MAPPING, link)
            continue
        yield from _text(link, "url", path, check=is_url, fault=_URL)
        for key in ("title", "icon", "type"):
            if key in link and (not isinstance(link[key], str) or not link[key].strip()):
                yield FieldFault((*path, key), _TEXT, link[key])


def value_at(document: Any, path: Sequence[str | int]) -> Any:
    """Return the value at a path of a document, None where there is none."""
    value = document
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value
