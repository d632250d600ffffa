"""Makes HTML of the Markdown in catalog files, which may come from anybody."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from markupsafe import Markup, escape

from portal.web.links import is_safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.token import Token

#: Longer texts are cut: the whole one is in the file. The parser takes half a second for the worst of this length.
_LONGEST = 10_000
_KEPT = 512
_CODE = re.compile("`([^`]+)`")
#: The headings of a text stand below those of the page, whose second level names a section.
_TOP_LEVEL, _LOWEST_LEVEL = 3, 6
_TAGS = frozenset(
    "a blockquote br code del em h3 h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul".split()  # noqa: SIM905  # reads better
)


@lru_cache(maxsize=_KEPT)
def markdown(text: str, base: str = "") -> Markup:
    """Return a text as HTML that is safe to show. Relative links lead on from `base`; without it they are plain text.

    Images are links: the page loads nothing from elsewhere. HTML in the text is shown as text. Rule: CommonMark with
    the tables, strikethrough and bare links of GitHub, as Backstage shows descriptions.
    """
    import nh3  # noqa: PLC0415  # most pages show no Markdown

    parser = _parser()
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    tokens = parser.parse(cut)
    _lower_headings(tokens)
    for token in tokens:
        if token.children:
            token.children = _with_safe_links(token.children, base)
    made = parser.renderer.render(tokens, parser.options, {})
    # What the parser makes is safe by its rules; this holds whatever a fault in them lets through.
    return Markup(  # noqa: S704  # cleaned
        nh3.clean(
            made,
            tags=set(_TAGS),
            attributes={"a": {"href", "title"}, "ol": {"start"}},
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer",
        )
    )


def coded(text: str) -> Markup:
    """Return a line of text as HTML, with what stands between backticks as code: all of Markdown that it may hold."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415  # as above

    return MarkdownIt("commonmark", {"html": False, "linkify": True}).enable(["table", "strikethrough", "linkify"])


def _lower_headings(tokens: Sequence[Token]) -> None:
    """Begin at the third level, and leave no level out: screen readers lead people along them."""
    last = _TOP_LEVEL - 1
    for token in tokens:
        if token.type == "heading_open":
            last = min(int(token.tag[1]) + _TOP_LEVEL - 1, last + 1, _LOWEST_LEVEL)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{last}"


def _with_safe_links(tokens: Sequence[Token], base: str) -> list[Token]:
    """Return the parts of a line with links that may be followed; of others only what they are called is left."""
    from markdown_it.token import Token  # noqa: PLC0415  # as above

    found: list[Token] = []
    open_links: list[bool] = []
    for token in tokens:
        if token.type == "image":
            url = _target(token.attrGet("src"), base)
            text = Token("text", "", 0, content=token.content or url)
            # No link stands in another one.
            is_link = bool(url) and True not in open_links
            found += [Token("link_open", "a", 1, attrs={"href": url}), text] if is_link else [text]
            found += [Token("link_close", "a", -1)] if is_link else []
        elif token.type == "link_open":
            url = _target(token.attrGet("href"), base)
            open_links.append(bool(url))
            if url:
                token.attrSet("href", url)
                found.append(token)
        elif token.type == "link_close":
            if open_links.pop():
                found += [*_named(found), token]
        else:
            found.append(token)
    return found


def _named(tokens: Sequence[Token]) -> list[Token]:
    """Return a name for the link that is still open where it has none: nobody could tell what it is."""
    from markdown_it.token import Token  # noqa: PLC0415  # as above

    for token in reversed(tokens):
        if token.content.strip():
            return []
        if token.type == "link_open":
            return [Token("text", "", 0, content=str(token.attrGet("href")))]
    return []


def _target(url: Any, base: str) -> str:
    """Return where a link leads, empty where nobody is to be led there."""
    if not isinstance(url, str) or not url or url.startswith("#"):
        return ""
    try:
        absolute = urljoin(base, url)
    except ValueError:
        return ""
    return absolute if is_safe(absolute) else ""
