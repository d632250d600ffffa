"""Every exception that Portal raises, in one tree.

    PortalError
    ├── InputError              what was asked cannot be understood or is not allowed by its format (400)
    │   └── ValuesError         values that do not fit the form of a template
    ├── AuthenticationError     nobody is signed in, or the token is not good (401)
    ├── NotAllowedError         the person asking may not do this (403)
    │   └── UnknownPersonError  a provider has signed the person in, and the catalog does not know them
    ├── NotFoundError           what was asked for is not there (404)
    ├── ConflictError           it clashes with what is there (409)
    ├── UnsupportedError        it is known, and Portal does not do it (501)
    ├── ServiceUnavailableError something Portal needs does not answer now (503)
    │   └── SourceError         a git remote or folder cannot be read
    │       ├── SourceUnreachableError   the remote or folder does not answer
    │       └── RevisionNotFoundError    the remote answers, the branch or commit is not there
    ├── SettingsError           settings that cannot be used
    ├── PluginError             extensions that clash or cannot be used
    ├── TemplateError           a template expression or skeleton file cannot be rendered
    ├── ActionError             a scaffolder action cannot do its work
    └── TaskCancelledError      a scaffolder task was cancelled while it ran

The HTTP layer alone turns them into responses (`portal.api.errors`); the CLI prints them and exits with 1 or 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class PortalError(Exception):
    """Any fault of Portal or its surroundings; `message` is for the reader who must fix it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InputError(PortalError):
    """What was asked cannot be understood; `problems` holds the single faults where there are several."""

    def __init__(self, message: str, problems: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class ValuesError(InputError):
    """Values that do not fit a template's form; `errors` are the single faults, as Backstage's clients read them."""

    def __init__(self, message: str, errors: Sequence[dict[str, Any]]) -> None:
        super().__init__(message, errors)
        self.errors = list(errors)


class AuthenticationError(PortalError):
    """Nobody is signed in, or the token is not good."""


class NotAllowedError(PortalError):
    """The person asking may not do this."""


class UnknownPersonError(NotAllowedError):
    """A provider has signed the person in, and the catalog does not know them."""


class NotFoundError(PortalError):
    """What was asked for is not there."""


class ConflictError(PortalError):
    """What was asked clashes with what is there."""


class UnsupportedError(PortalError):
    """What was asked for is known, and Portal does not do it."""


class ServiceUnavailableError(PortalError):
    """Something Portal needs does not answer now."""


class SourceError(ServiceUnavailableError):
    """A git remote or folder cannot be read; `target` names it without credentials."""

    def __init__(self, message: str, target: str) -> None:
        super().__init__(message)
        self.target = target


class SourceUnreachableError(SourceError):
    """The remote or folder does not answer."""


class RevisionNotFoundError(SourceError):
    """The remote answers, but has no such branch or commit."""


class SettingsError(PortalError):
    """Settings that cannot be used."""


class PluginError(PortalError):
    """Extensions that clash or cannot be used."""


class TemplateError(PortalError):
    """A template expression or skeleton file cannot be rendered."""


class ActionError(PortalError):
    """A scaffolder action cannot do its work."""


class TaskCancelledError(PortalError):
    """A scaffolder task was cancelled while it ran."""


class JobStoppedError(BaseException):
    """Ends a job, in a step or between two, without its end being recorded, so that it goes on at the next start.

    No `Exception`: DBOS would record that as the step's or the job's end.
    """
