"""What search knows of an entity: the words that find it, the document that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from portal.model.ref import DEFAULT_NAMESPACE, PEOPLE
from portal.model.words import humps, words

#: So many characters of each part are read: PostgreSQL keeps no more than 1 MB of words.
_MOST_NAMES, _MOST_TEXT = 2_000, 50_000
#: Fields whose references say what an entity belongs to.
_PARENTS = ("owner", "system", "domain", "layer")


class Searchable(NamedTuple):
    """The words of an entity, folded, with a space between: what it is called, how it is classed, what it says."""

    names: str
    marks: str
    text: str


def searchable(declared: Mapping[str, Any]) -> Searchable:
    """Return the words that find an entity."""
    metadata, spec = declared["metadata"], _object(declared.get("spec"))
    names, said = [metadata["name"], metadata.get("title")], [metadata.get("description")]
    if "profile" in spec:
        profile = _object(spec["profile"])
        names.append(profile.get("displayName"))
        said.append(profile.get("email"))
    if "links" in metadata:
        links = metadata["links"]
        said += [link.get("title") for link in links if isinstance(link, dict)] if isinstance(links, list) else ()
    marks = [declared["kind"], metadata.get("namespace"), spec.get("type"), spec.get("lifecycle")]
    for name in _PARENTS:
        parent = spec.get(name)
        if isinstance(parent, str):
            marks.append(parent.rpartition("/")[2].rpartition(":")[2])
    if "tags" in metadata and isinstance(metadata["tags"], list):
        marks += metadata["tags"]
    called = " ".join(_texts(names))[:_MOST_NAMES]
    return Searchable(
        " ".join([*words(called), *humps(called)]),
        " ".join(words(" ".join(_texts(marks))[:_MOST_NAMES])),
        " ".join(words(" ".join(_texts(said))[:_MOST_TEXT])),
    )


def search_document(entity: Mapping[str, Any]) -> dict[str, str]:
    """Return what a search's result shows of a finished entity. Rule: search-backend-module-catalog 0.3's collator."""
    metadata, spec = entity["metadata"], _object(entity.get("spec"))
    kind, namespace, name = entity["kind"], metadata.get("namespace") or DEFAULT_NAMESPACE, metadata["name"]
    said = [metadata.get("description")]
    if kind.lower() in PEOPLE:
        profile = _object(spec.get("profile"))
        said += [profile.get("displayName"), profile.get("email") if kind.lower() == "user" else None]
    sort = str(spec.get("type") or "other")
    path = "/".join(quote(part, safe="") for part in (namespace, kind, name))
    return {
        "title": str(metadata.get("title") or name),
        "text": " : ".join(_texts(said)),
        "componentType": sort,
        "type": sort,
        "namespace": namespace,
        "kind": kind,
        "lifecycle": str(spec.get("lifecycle") or ""),
        "owner": str(spec.get("owner") or _first(spec.get("owners"))),
        "location": f"/catalog/{path}".lower(),
    }


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(values: Any) -> str:
    """Return who is accountable of a list of owners."""
    return next(iter(_texts(values)), "") if isinstance(values, list) else ""


def _texts(values: Iterable[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value]
