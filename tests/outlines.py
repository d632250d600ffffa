"""The elements of a page, as a browser would find them."""

from __future__ import annotations

from html.parser import HTMLParser


class Outline(HTMLParser):
    """Notes the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))


def outline(page: str) -> list[tuple[str, dict[str, str]]]:
    """Return the elements of a page in their order, each with its attributes."""
    parser = Outline()
    parser.feed(page)
    return parser.tags
