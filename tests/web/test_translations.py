"""Every message that pages show is there in Chinese, with what it takes in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from messages import messages
from servers import ROOT

TRANSLATIONS = ROOT / "portal" / "web" / "translations"
_TAKEN_IN = re.compile(r"%\(\w+\)s|%%|<[^>]+>|\{\w*\}")


def translated(language: Path) -> Catalog:
    with (language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language.name, abort_invalid=True)


def languages() -> list[Path]:
    return sorted(path for path in TRANSLATIONS.iterdir() if path.is_dir())


def test_there_is_chinese() -> None:
    assert [path.name for path in languages()] == ["zh"]
    assert len(messages()) > 100


@pytest.mark.parametrize("language", languages(), ids=lambda path: path.name)
def test_every_message_is_translated_and_no_other(language: Path) -> None:
    catalog = translated(language)
    known = {message.id for message in catalog if message.id}
    assert {str(message): file for message, file in messages().items() if message not in known} == {}
    assert known - set(messages()) == set()
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
