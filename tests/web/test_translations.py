"""Every message of the pages is there in Chinese, with what it takes in."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po
from servers import ROOT

FOUND_IN = [("portal/web/**.py", "python"), ("portal/web/templates/**.html", "jinja2")]
TRANSLATIONS = ROOT / "portal" / "web" / "translations"
_TAKEN_IN = re.compile(r"%\(\w+\)s|%%|<[^>]+>|\{\w*\}")


@cache
def used() -> dict[Any, list[str]]:
    """Return the messages that pages use, with the files that do."""
    found: dict[Any, list[str]] = {}
    keywords = DEFAULT_KEYWORDS | {"N_": None}
    for file, _, message, _, _ in extract_from_dir(str(ROOT), method_map=FOUND_IN, keywords=keywords):
        found.setdefault(message, []).append(file)
    return found


def translated(language: Path) -> Catalog:
    with (language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language.name, abort_invalid=True)


def languages() -> list[Path]:
    return sorted(path for path in TRANSLATIONS.iterdir() if path.is_dir())


def test_there_is_chinese() -> None:
    assert [path.name for path in languages()] == ["zh"]
    assert len(used()) > 100


@pytest.mark.parametrize("language", languages(), ids=lambda path: path.name)
def test_every_message_is_translated_and_no_other(language: Path) -> None:
    catalog = translated(language)
    known = {message.id for message in catalog if message.id}
    assert {str(message): files for message, files in used().items() if message not in known} == {}
    assert known - set(used()) == set()
    for message in catalog:
        texts = [message.string] if isinstance(message.string, str) else list(message.string)
        assert all(texts), message.id
        assert not message.fuzzy, message.id


@pytest.mark.parametrize("language", languages(), ids=lambda path: path.name)
def test_a_translation_takes_in_what_its_message_does(language: Path) -> None:
    for message in translated(language):
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        wanted = set().union(*(_TAKEN_IN.findall(text) for text in ids))
        for text in [message.string] if isinstance(message.string, str) else message.string:
            assert set(_TAKEN_IN.findall(text)) <= wanted, message.id
            # Of several forms, one may tell a number in a word.
            assert wanted - set(_TAKEN_IN.findall(text)) <= {"%(num)s"} or set(_TAKEN_IN.findall(text)) == wanted, (
                message.id
            )
