"""Finds assets of different homes that are near-duplicates of each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from portal.model.ref import EntityRef
from portal.model.sentence import Sentence

#: Names less alike are not looked at any further, in percent.
_LEAST_NAMES = 70
#: Pairs less alike as a whole are not told, in percent.
LEAST_ALIKE = 80
#: Each asset is compared with those that share one of so many of its rarest words.
_RAREST = 3
#: Of those that share a word each is compared with so many that follow it by name: time grows with their number alone.
_FOLLOWING = 20

_WORD = re.compile(r"[^\W\d_]+|\d+")
_BEFORE_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Described:
    """An asset that may be like another: `homes` are the projects it belongs to, or else its system or owner."""

    ref: EntityRef
    title: str
    type: str
    homes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two assets that are alike: how much in percent, and in which respects in words."""

    first: EntityRef
    second: EntityRef
    alike: int
    reason: str


def candidates(assets: Collection[Described]) -> list[tuple[EntityRef, EntityRef]]:
    """Return the pairs of one kind and type, but of different homes, whose names or titles are alike, sorted.

    Only assets that share one of their rarest words are compared, and numbers that differ tell assets apart: part 1
    is not part 2.
    """
    names = {item.ref: _Names.of(item.ref, item.title) for item in assets}
    counts: dict[tuple[str, str, str], int] = {}
    keys: dict[EntityRef, list[tuple[str, str, str]]] = {}
    for item in assets:
        keys[item.ref] = [(item.ref.kind, item.type, word) for word in names[item.ref].words]
        for key in keys[item.ref]:
            counts[key] = counts.get(key, 0) + 1
    blocks: dict[tuple[str, str, str], list[tuple[_Names, Described]]] = {}
    for item in sorted(assets, key=lambda item: (names[item.ref].name, names[item.ref].title, item.ref)):
        shared = (key for key in keys[item.ref] if counts[key] > 1)
        for key in sorted(shared, key=lambda key: (counts[key], key))[:_RAREST]:
            blocks.setdefault(key, []).append((names[item.ref], item))
    found = set()
    for block in blocks.values():
        for place, (name, one) in enumerate(block):
            for other_name, other in block[place + 1 : place + 1 + _FOLLOWING]:
                if name.likeness(other_name) and one.homes.isdisjoint(other.homes):
                    found.add((min(one.ref, other.ref), max(one.ref, other.ref)))
    return sorted(found)


def alike(
    pairs: Collection[tuple[EntityRef, EntityRef]], documents: Mapping[EntityRef, Mapping[str, Any]]
) -> Iterator[Pair]:
    """Yield those of the candidates that are alike in name, tags and description together."""
    for first, second in pairs:
        one, other = (documents.get(ref, {}).get("metadata") or {} for ref in (first, second))
        names = [_Names.of(ref, str(said.get("title") or "")) for ref, said in ((first, one), (second, other))]
        name = names[0].likeness(names[1])
        marks = [(2, name)]
        told = [Sentence("names %(share)s %% alike", share=name) if name < 100 else Sentence("same name")]  # noqa: PLR2004  # percent
        tags, other_tags = ({str(tag).casefold() for tag in said.get("tags") or ()} for said in (one, other))
        if tags and other_tags:
            share = 100 * len(tags & other_tags) // len(tags | other_tags)
            marks.append((1, share))
            common = Sentence("%(count)s tags in common", count=len(tags & other_tags))
            told.append(Sentence("same tags") if tags == other_tags else common)
        text, other_text = (" ".join(_words(str(said.get("description") or ""))) for said in (one, other))
        if text and other_text:
            share = int(_ratio(text, other_text))
            marks.append((1, share))
            alike = Sentence("descriptions %(share)s %% alike", share=share)
            told.append(Sentence("same description") if text == other_text else alike)
        mark = sum(weight * value for weight, value in marks) // sum(weight for weight, _ in marks)
        if mark >= LEAST_ALIKE:
            yield Pair(first, second, mark, Sentence("same kind and type, %(told)s", told=told))


class _Names(NamedTuple):
    """What an asset is called, made ready to be compared: words in order, so that `a-b` is `b-a`."""

    name: str
    title: str
    numbers: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, ref: EntityRef, title: str) -> _Names:
        """Return the names of an asset."""
        name, titled = _words(ref.name), _words(title)
        said = sorted({*name, *titled})
        return cls(
            " ".join(name),
            " ".join(titled),
            tuple(word for word in said if word.isdigit()),
            tuple(word for word in said if not word.isdigit()),
        )

    def likeness(self, other: _Names) -> int:
        """Return how much names or titles are alike in percent, whichever more; 0 where they differ too much."""
        if self.numbers != other.numbers and self.numbers and other.numbers:
            return 0
        found = _ratio(self.name, other.name, least=_LEAST_NAMES)
        if self.title and other.title:
            found = max(found, _ratio(self.title, other.title, least=_LEAST_NAMES))
        return int(found)


def _words(text: str) -> list[str]:
    """Return the words and numbers of a name or text, sorted: their order makes no difference."""
    return sorted(word.casefold() for word in _WORD.findall(_BEFORE_CAPITAL.sub(" ", text)))


def _ratio(text: str, other: str, *, least: int = 0) -> float:
    """Return how much two texts are alike in percent; 0 below the least that counts."""
    from rapidfuzz import fuzz  # noqa: PLC0415  # 3 MB that an ingest does not need

    return fuzz.ratio(text, other, score_cutoff=least)
