"""Names errors as Backstage's clients know them."""

from __future__ import annotations

from collections.abc import Sequence

from portal.errors import (
    AuthenticationError,
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    PortalError,
    ServiceUnavailableError,
    UnsupportedError,
)

#: The names that Backstage's clients know, with the errors they stand for.
_ERROR_NAMES: Sequence[tuple[type[PortalError], str]] = (
    (InputError, "InputError"),
    (AuthenticationError, "AuthenticationError"),
    (NotAllowedError, "NotAllowedError"),
    (NotFoundError, "NotFoundError"),
    (ConflictError, "ConflictError"),
    (UnsupportedError, "NotImplementedError"),
    (ServiceUnavailableError, "ServiceUnavailableError"),
)


def error_name(error: PortalError) -> str:
    """Return the name that Backstage's clients know an error by."""
    return next((name for kind, name in _ERROR_NAMES if isinstance(error, kind)), "Error")
