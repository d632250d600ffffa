"""A fault in the input, as a value that names its place, what was found there, what was expected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from portal.errors import InputError
from portal.model.sentence import Sentence

Severity = Literal["error", "warning"]

#: Problems in the message of an exception, characters of each.
_MOST_TOLD, _LONGEST_TOLD = 100, 1_000

#: The constant sentence of each problem code; what varies stands in the problem's own fields.
PROBLEM_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        # the file
        "file-too-large": Sentence("The file is larger than Portal reads"),
        "file-not-utf8": Sentence("The file is not UTF-8 text"),
        "file-symlink": Sentence("The file is a symbolic link; links are not followed"),
        # YAML
        "yaml-syntax": Sentence("The YAML cannot be parsed"),
        "yaml-duplicate-key": Sentence("A key stands twice in one mapping"),
        "yaml-alias-limit": Sentence("The aliases expand to more than Portal accepts"),
        "yaml-depth": Sentence("The YAML is nested deeper than Portal accepts"),
        "yaml-document-limit": Sentence("The file holds more documents than Portal accepts"),
        "yaml-tag": Sentence("A YAML tag is not known here; its value is read without it"),
        # the document
        "not-a-mapping": Sentence("The document is not a mapping"),
        "kind-unknown": Sentence("No kind of this name and apiVersion is known"),
        "kind-gone": Sentence("Nothing declares this kind any more"),
        "kind-not-allowed": Sentence("The catalog's rules do not allow this kind here"),
        "field-missing": Sentence("A required field is missing"),
        "field-invalid": Sentence("A field has a value that is not accepted"),
        "field-unknown": Sentence("A field is not known here"),
        "placeholder-invalid": Sentence("A placeholder cannot be replaced by its target's content"),
        # templates
        "action-unknown": Sentence("No action of this name is installed"),
        "id-repeated": Sentence("Two steps have one id, so that the output of the first is lost"),
        "step-undefined": Sentence("There is no step of this id"),
        "step-later": Sentence("A step's output is used before it has run"),
        # the catalog
        "ref-duplicate": Sentence("Two documents of one source claim the same entity"),
        "ref-conflict": Sentence("Another source already holds this entity"),
        "reference-missing": Sentence("A field names an entity that is not in the catalog"),
        "entity-needed": Sentence("An entity goes that others still name"),
        # locations
        "target-missing": Sentence("The location's target does not exist"),
        "target-invalid": Sentence("The location's target cannot be understood"),
        "target-outside": Sentence("The location's target lies outside its repository"),
        "target-not-allowed": Sentence("The location's target may not be read from here"),
        "location-cycle": Sentence("The location leads back to itself"),
        "source-unreachable": Sentence("The source does not answer"),
        "revision-missing": Sentence("The source has no such branch or commit"),
    }
)


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a file; `line` and `column` count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in the input.

    `code` is a key of `PROBLEM_MESSAGES`. `location` is the file (`catalog-info.yaml`, or a full location such as
    `url:https://host/repo#main:catalog-info.yaml`). `field` is a dotted path (`spec.owner`, `metadata.tags.0`).
    `ref` is the entity concerned, where it is known. An `error` keeps its document out of the catalog (the last good
    one stays); a `warning` does not.
    """

    code: str
    location: str = ""
    span: Span | None = None
    field: str = ""
    found: str = ""
    expected: str = ""
    hint: str = ""
    ref: str | None = None
    severity: Severity = "error"

    @property
    def message(self) -> str:
        """The constant sentence of this problem's code."""
        return PROBLEM_MESSAGES[self.code]

    def at(self, location: str, span: Span | None) -> Problem:
        """Return this problem placed in a file."""
        return replace(self, location=location, span=span)

    def to_json(self) -> dict[str, str | int | None]:
        """Return the problem as JSON has it; `message` is the code's sentence."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "location": self.location,
            "line": self.span.line if self.span else None,
            "column": self.span.column if self.span else None,
            "field": self.field,
            "found": self.found,
            "expected": self.expected,
            "hint": self.hint,
            "ref": self.ref,
        }

    def __str__(self) -> str:
        """Return `file:line:column field: sentence: found …; expected …. hint`."""
        place = self.location
        if self.span is not None:
            place += f":{self.span.line}:{self.span.column}"
        head = " ".join(part for part in (place, self.field) if part)
        detail = "; ".join(
            part
            for part in (
                f"found {self.found}" if self.found else "",
                f"expected {self.expected}" if self.expected else "",
            )
            if part
        )
        text = f"{head}: {self.message}" if head else self.message
        if detail:
            text += f": {detail}"
        if self.hint:
            text += f". {self.hint}"
        return text


def raise_for(problems: Collection[Problem]) -> None:
    """Raise `InputError` with all problems that keep documents out of the catalog, if there are any.

    The message tells the first ones: one file may have as many problems as it has lines.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        told = [_shortened(str(problem)) for problem in errors[:_MOST_TOLD]]
        more = [f"and {len(errors) - _MOST_TOLD:,} more problems"] if len(errors) > _MOST_TOLD else []
        raise InputError("\n".join([*told, *more]), errors)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"
