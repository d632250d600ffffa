"""Splits text into the words by which it is found, wherever the question is asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Longest word (characters) that is told apart from others which begin alike.
_LONGEST = 64
_ASCII_WORDS = re.compile("[0-9A-Za-z]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
#: Where a name goes on with another word: `fraudDetection`, `MLPlatform`.
_HUMPS = re.compile("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
#: Scripts that put no space between words: ideographs, kana, Thai, Lao, Burmese, Khmer.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_QUOTED = re.compile('"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that must stand side by side; the last one is a beginning (`is_prefix`) or whole."""

    words: tuple[str, ...]
    is_prefix: bool


def words(text: str) -> list[str]:
    """Return the words of a text in their order, folded: `Café-Räume` is `cafe raume`, `学习` is `学 习`.

    Case, accents and compatible forms of a letter make no difference. A script without spaces is split into letters,
    which phrases put together again.
    """
    if text.isascii():
        return [word[:_LONGEST] for word in _ASCII_WORDS.findall(text.lower())]
    return [_folded(text[start:end]) for start, end in _spans(text)]


def humps(text: str) -> list[str]:
    """Return the words, folded, that names are put together from: `fraud` and `detection` of `fraudDetection`."""
    found: list[str] = []
    if not _HUMPS.search(text):
        return found
    for name in _ASCII_WORDS.findall(text):
        parts = _HUMPS.split(name)
        if len(parts) > 1:
            found += [part.lower()[:_LONGEST] for part in parts if len(part) > 1]
    return found


def phrases(term: str) -> list[Phrase]:
    """Return what a text must contain to be found by a term as people type it.

    Every word may go on (`pay` finds `payments`) unless it stands in quotation marks, and all must be there.
    """
    found: list[Phrase] = []
    at = 0
    for quoted in _QUOTED.finditer(term):
        found += _typed(term[at : quoted.start()])
        whole = tuple(words(quoted[1]))
        if whole:
            found.append(Phrase(whole, is_prefix=False))
        at = quoted.end()
    return list(dict.fromkeys([*found, *_typed(term[at:])]))


def highlighted(text: str, wanted: Sequence[Phrase], *, before: str, after: str) -> str:
    """Return the text with `before` and `after` around each word that one of the phrases means."""
    spans = list(_spans(text))
    folded = [_folded(text[start:end]) for start, end in spans]
    marked = [False] * len(spans)
    for phrase in wanted:
        size = len(phrase.words)
        for start in range(len(spans) - size + 1):
            if _is_at(phrase, folded, start) or (size == 1 and _is_hump(phrase, text[slice(*spans[start])])):
                marked[start : start + size] = [True] * size
    parts: list[str] = []
    at = 0
    for number, (start, end) in enumerate(spans):
        if not marked[number]:
            continue
        goes_on = number > 0 and marked[number - 1] and spans[number - 1][1] == start
        if goes_on:
            parts.pop()
        parts += [text[at:start], "" if goes_on else before, text[start:end], after]
        at = end
    return "".join([*parts, text[at:]])


def _typed(text: str) -> Iterator[Phrase]:
    """Yield the phrases of text outside of quotation marks: what has nothing in between belongs together."""
    spans = list(_spans(text))
    joined: list[str] = []
    for number, (start, end) in enumerate(spans):
        joined.append(_folded(text[start:end]))
        if number + 1 == len(spans) or spans[number + 1][0] != end:
            yield Phrase(tuple(joined), is_prefix=True)
            joined = []


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each word begins and ends."""
    if text.isascii():
        for found in _ASCII_WORDS.finditer(text):
            yield found.span()
        return
    # Each letter's class: part of a word, a word of its own, or neither; marks belong to the letter before them.
    start: int | None = None
    for at, letter in enumerate(text):
        if letter.isalnum():
            if start is not None and (_UNSPACED.match(letter) or _UNSPACED.match(text[start])):
                yield start, at
                start = at
            elif start is None:
                start = at
        elif start is not None and not unicodedata.category(letter).startswith("M"):
            yield start, at
            start = None
    if start is not None:
        yield start, len(text)


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()[:_LONGEST]
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", word).casefold())
    return unicodedata.normalize("NFC", plain)[:_LONGEST]


def _is_at(phrase: Phrase, folded: Sequence[str], start: int) -> bool:
    *first, last = phrase.words
    if any(folded[start + offset] != word for offset, word in enumerate(first)):
        return False
    word = folded[start + len(first)]
    return word.startswith(last) if phrase.is_prefix else word == last


def _is_hump(phrase: Phrase, word: str) -> bool:
    return any(_is_at(phrase, humps(word), place) for place in range(len(humps(word))))
