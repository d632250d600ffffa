"""Tells what is wrong with what a location leads to."""

from __future__ import annotations

from portal.errors import InputError, NotAllowedError, PortalError, RevisionNotFoundError
from portal.model.location import LOCATION_TYPES
from portal.model.problem import Problem, Span
from portal.model.sentence import Sentence, either


def missing_target(location: str) -> Problem:
    """Return that a file which is required is not there."""
    return Problem("target-missing", expected=Sentence("a file at %(location)s", location=location))


def symbolic_link(location: str) -> Problem:
    """Return that a file is a symbolic link."""
    return Problem("file-symlink", expected=Sentence("a file of its own at %(location)s", location=location))


def location_cycle(location: str) -> Problem:
    """Return that a file leads to itself in the end."""
    said = Sentence("a file that does not lead here again; it names %(location)s", location=location)
    return Problem("location-cycle", expected=said)


def too_large(location: str, *, size_bytes: int, limit_bytes: int) -> Problem:
    """Return that a file is larger than what is read."""
    found = Sentence("%(size)s bytes", size=f"{size_bytes:,}")
    expected = Sentence("at most %(limit)s bytes", limit=f"{limit_bytes:,}")
    return Problem("file-too-large", location, Span(1, 1), "", found, expected)


def unsupported_type(location_type: str) -> Problem:
    """Return that no location is of such a type."""
    hint = Sentence(
        'Location type "%(type)s" is not supported; expected %(types)s',
        type=location_type,
        types=either(LOCATION_TYPES),
    )
    return Problem("target-invalid", hint=hint)


def source_problem(error: PortalError) -> Problem:
    """Return that a source cannot be read now."""
    if isinstance(error, RevisionNotFoundError):
        return Problem("revision-missing", hint=error.message)
    if isinstance(error, (NotAllowedError, InputError)):
        return Problem("target-not-allowed", hint=error.message)
    return Problem("source-unreachable", hint=error.message)
