"""Draws a badge: a label beside a message on a colour, as SVG.

Rule: the flat style of shields.io. The template is ours, on Jinja2, which escapes: `anybadge` 1.16 fills its template
by replacing one mark after the other, so that a label that holds `{{ value }}` is replaced too, and gives no title;
`pybadges` has had no release since 2023.
"""

from __future__ import annotations

import unicodedata

from jinja2 import Environment

#: Colours on which white text has the contrast 4.5 to 1 that WCAG 2 asks for.
GREEN, YELLOW, RED = "#2d7d32", "#8a6100", "#c62828"
_PADDING = 5
#: Widths of Verdana at 11 pixels, rounded up; the text is fitted to what is reckoned, whatever font there is.
_WIDTHS = dict.fromkeys("fijlIrt.,:;!|'()[]/ -", 4.6) | dict.fromkeys("mwMW@%", 10.6)
_USUAL, _CAPITAL, _WIDE = 7.0, 8.2, 12.0

_TEMPLATE = Environment(autoescape=True).from_string(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{{ width }}" height="20" role="img" aria-label="{{ title }}">'
    "<title>{{ title }}</title>"
    '<clipPath id="r"><rect width="{{ width }}" height="20" rx="3" fill="#fff"/></clipPath>'
    '<g clip-path="url(#r)">'
    '<rect width="{{ left }}" height="20" fill="#555"/>'
    '<rect x="{{ left }}" width="{{ right }}" height="20" fill="{{ colour }}"/></g>'
    '<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">'
    '<text x="{{ left / 2 }}" y="14" textLength="{{ left - 2 * padding }}">{{ label }}</text>'
    '<text x="{{ left + right / 2 }}" y="14" textLength="{{ right - 2 * padding }}">{{ message }}</text></g></svg>\n'
)


def badge(label: str, message: str, colour: str) -> str:
    """Return a badge as SVG text; what XML cannot hold, or nobody would see, is replaced."""
    label, message = _shown(label), _shown(message)
    left, right = _width(label), _width(message)
    return _TEMPLATE.render(
        label=label,
        message=message,
        title=f"{label}: {message}",
        colour=colour,
        left=left,
        right=right,
        width=left + right,
        padding=_PADDING,
    )


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _width(text: str) -> int:
    return round(sum(map(_letter_width, text))) + 2 * _PADDING


def _letter_width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return _WIDE
    return _WIDTHS.get(letter, _CAPITAL if letter.isupper() else _USUAL)
