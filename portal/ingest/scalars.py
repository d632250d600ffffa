"""What an untagged YAML scalar means, as npm `yaml` reads it for Backstage: the core schema of YAML 1.2."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

Scalar = str | int | float | bool | None

TAG_PREFIX: Final = "tag:yaml.org,2002:"
_INTEGER_RANGE = range(-(2**63), 2**64)  # what orjson writes
_MOST_INTEGER_CHARACTERS = 400  # no longer number is finite as a float; int() refuses text of more than 4,300 digits
_JS_PLAIN_INTEGER_LIMIT = 10**21  # JavaScript writes larger numbers with an exponent
_JS_PLAIN_FRACTION_EXPONENT = -7  # ... and smaller ones

_CORE = re.compile(
    r"""
      (?P<null> ~ | [Nn]ull | NULL | )
    | (?P<true> [Tt]rue | TRUE ) | (?P<false> [Ff]alse | FALSE )
    | (?P<int> [-+]?[0-9]+ ) | (?P<octal> 0o[0-7]+ ) | (?P<hex> 0x[0-9a-fA-F]+ )
    | (?P<float> [-+]?(?: \.[0-9]+ | [0-9]+(?:\.[0-9]*)? )(?:[eE][-+]?[0-9]+)? )
    | (?P<inf> [-+]?\.(?:inf|Inf|INF) ) | (?P<nan> \.(?:nan|NaN|NAN) )
    """,
    re.VERBOSE,
)

# The order is that of npm `yaml`: `010` is octal before it is decimal, `1:30` a time only when nothing else fits.
_LEGACY = re.compile(
    r"""
      (?P<null> ~ | [Nn]ull | NULL | )
    | (?P<true> [Yy] | [Yy]es | YES | [Tt]rue | TRUE | [Oo]n | ON )
    | (?P<false> [Nn] | [Nn]o | NO | [Ff]alse | FALSE | [Oo]ff | OFF )
    | (?P<binary> [-+]?0b[01_]+ ) | (?P<octal> [-+]?0[0-7_]+ )
    | (?P<int> [-+]?[0-9][0-9_]* ) | (?P<hex> [-+]?0x[0-9a-fA-F_]+ )
    | (?P<inf> [-+]?\.(?:inf|Inf|INF) ) | (?P<nan> \.(?:nan|NaN|NAN) )
    | (?P<float> [-+]?(?:[0-9][0-9_]*)?(?: (?:\.[0-9_]*)?[eE][-+]?[0-9]+ | \.[0-9_]* ) )
    | (?P<time> [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+ )
    | (?P<floattime> [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]* )
    | (?P<timestamp> [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: (?:[tT]|[ \t]+) [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?
        (?:[ \t]*(?:Z|[-+][012]?[0-9](?::[0-9]{2})?))? )? )
    """,
    re.VERBOSE,
)

_KINDS_OF_TAG: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "null": frozenset({"null"}),
        "bool": frozenset({"true", "false"}),
        "int": frozenset({"int", "octal", "hex", "binary", "time"}),
        "timestamp": frozenset({"timestamp"}),
    }
)


class PlainScalars(dict[str, Scalar]):
    """The values of plain scalars by their text, each interpreted once: `scalars["012"]` is 12.

    `legacy` is for a document that says `%YAML 1.1` (`yes` is true, `012` is 10, dates become ISO text in UTC). An
    integer beyond 64 bits becomes a float, and a float without a fraction an int, so that JSON carries the number that
    JavaScript would write. `.inf` and `.nan` are floats, which JSON has no word for: orjson writes null.
    """

    __slots__ = ("_interpret",)

    def __init__(self, *, legacy: bool = False) -> None:
        super().__init__()
        self._interpret = legacy_value if legacy else core_value

    def __missing__(self, text: str) -> Scalar:
        value = self[text] = self._interpret(text)
        return value


class PlainKeys(dict[str, str]):
    """The mapping keys that plain scalars stand for, by their text: `keys["null"]` is "", `keys["0x1F"]` is "31"."""

    __slots__ = ("_scalars",)

    def __init__(self, scalars: PlainScalars) -> None:
        super().__init__()
        self._scalars = scalars

    def __missing__(self, text: str) -> str:
        key = self[text] = key_text(self._scalars[text])
        return key


@dataclass(frozen=True, slots=True)
class Words:
    """The vocabulary of a document: what plain scalars mean as values and as keys."""

    scalars: PlainScalars
    keys: PlainKeys
    legacy: bool

    @classmethod
    def of_version(cls, *, legacy: bool) -> Words:
        """Return an empty vocabulary of YAML 1.2, or of 1.1 for a `legacy` document."""
        scalars = PlainScalars(legacy=legacy)
        return cls(scalars, PlainKeys(scalars), legacy)


def core_value(text: str) -> Scalar:
    """Return what a plain scalar means in YAML 1.2: `yes`, dates and `12:30` are text, `012` is 12."""
    if text[:1] not in "~nNtTfF+-.0123456789":
        return text
    match = _CORE.fullmatch(text)
    return text if match is None else _value(str(match.lastgroup), text)


def legacy_value(text: str) -> Scalar:
    """Return what a plain scalar means in YAML 1.1, as npm `yaml` 2.9 reads a document that says `%YAML 1.1`."""
    match = _LEGACY.fullmatch(text)
    if match is None:
        return text
    kind = str(match.lastgroup)
    if kind in _LEGACY_READERS:
        return _LEGACY_READERS[kind](text)
    return _value(kind, text.replace("_", ""))


def tagged_value(tag: str, text: str, *, legacy: bool = False) -> tuple[Scalar, bool]:
    """Return what a scalar with an explicit tag means, with whether the tag was understood.

    A tag that is not known, or does not fit its text (`!!int abc`, `!!float 5`), leaves the text as it is, as npm
    `yaml` does: `!foo 5` is "5". `! 5` says no more than that it is text.
    """
    name = tag.removeprefix(TAG_PREFIX)
    if name in {"str", "!"}:
        return text, True
    if name == tag:
        return text, False
    match = (_LEGACY if legacy or name == "timestamp" else _CORE).fullmatch(text)
    kind = "" if match is None else str(match.lastgroup)
    fits = kind in _KINDS_OF_TAG[name] if name in _KINDS_OF_TAG else name == "float" and kind in _FLOAT_KINDS
    if name == "float" and kind == "int":
        fits = False
    if not fits:
        return text, False
    return (legacy_value(text) if legacy or name == "timestamp" else core_value(text)), True


def key_text(value: Scalar) -> str:
    """Return the mapping key that a scalar becomes, which is `String(value)` in JavaScript; null becomes ""."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _javascript_number(value)


def _value(kind: str, text: str) -> Scalar:
    reader = _READERS.get(kind)
    return _number(text) if reader is None else reader(text)


def _integer(text: str, radix: int) -> int | float:
    if len(text) > _MOST_INTEGER_CHARACTERS:
        return -math.inf if text.startswith("-") else math.inf
    try:
        value = int(text, radix)
    except ValueError:  # `0b_`, `0x__`
        return math.nan
    if value in _INTEGER_RANGE:
        return value
    try:
        return float(value)
    except OverflowError:
        return -math.inf if value < 0 else math.inf


def _number(text: str) -> int | float:
    try:
        value = float(text)
    except ValueError:  # `.` and `e5` are numbers to npm `yaml` in YAML 1.1
        return math.nan
    if value.is_integer() and int(value) in _INTEGER_RANGE:
        return int(value)
    return value


def _sexagesimal(text: str) -> int | float:
    total = 0.0
    for part in text.lstrip("+-").replace("_", "").split(":"):
        total = total * 60 + float(part)
    return _number(str(-total if text.startswith("-") else total))


def _timestamp(text: str) -> str:
    year, month, day, hour, minute, second = (*map(int, re.findall(r"[0-9]+", text)[:6]), 0, 0, 0)[:6]
    fraction = re.search(r"\.([0-9]+)", text)
    zone = re.search(r"(?<=[0-9])[ \t]*([-+])([0-9]{1,2})(?::([0-9]{2}))?$", text[8:])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        if fraction:
            moment += timedelta(milliseconds=int((fraction[1] + "00")[:3]))
        if zone:
            offset = timedelta(hours=int(zone[2]), minutes=int(zone[3] or 0))
            moment += offset if zone[1] == "-" else -offset
    except (ValueError, OverflowError):
        return text
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _javascript_number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) < _JS_PLAIN_INTEGER_LIMIT:
        return str(int(value))
    mantissa, _, exponent = repr(float(value)).partition("e")
    if not exponent:
        return mantissa
    power = int(exponent)
    if power < 0 and power >= _JS_PLAIN_FRACTION_EXPONENT + 1:
        sign = "-" if mantissa.startswith("-") else ""
        return f"{sign}0.{'0' * (-power - 1)}{mantissa.lstrip('-').replace('.', '')}"
    return f"{mantissa}e{power:+d}"


_READERS: Mapping[str, Callable[[str], Scalar]] = MappingProxyType(
    {
        "null": lambda _: None,
        "true": lambda _: True,
        "false": lambda _: False,
        "int": lambda text: _integer(text, 10),
        "octal": lambda text: _integer(text, 8),
        "hex": lambda text: _integer(text, 16),
        "inf": lambda text: -math.inf if text.startswith("-") else math.inf,
        "nan": lambda _: math.nan,
    }
)
_FLOAT_KINDS = frozenset({"float", "inf", "nan", "floattime"})
_LEGACY_READERS: Mapping[str, Callable[[str], Scalar]] = MappingProxyType(
    {
        "binary": lambda text: _integer(text.replace("_", ""), 2),
        "time": _sexagesimal,
        "floattime": _sexagesimal,
        "timestamp": _timestamp,
    }
)
