"""Settings: one table of names, defaults, meanings, read from TOML, PORTAL_* variables, the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from portal.config import structured
from portal.errors import InputError, SettingsError
from portal.model.access import ExternalAccess
from portal.model.integration import Integration
from portal.model.ref import PEOPLE, EntityRef
from portal.model.rules import Rule

CONFIG_FILE = "portal.toml"
_LARGEST_PORT = 65_535
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one Portal; `SETTINGS` tells what each means."""

    host: str
    port: int
    database: str
    data: Path
    catalog: tuple[str, ...]
    worker: bool
    threads: int
    followers: int
    base_url: str
    refresh_seconds: int
    file_size_bytes: int
    yaml_depth: int
    git_schemes: tuple[str, ...]
    integrations: tuple[Integration, ...]
    guests: bool
    guest: EntityRef
    external_access: tuple[ExternalAccess, ...]
    admins: tuple[EntityRef, ...]
    guest_rights: str
    reading_hosts: tuple[str, ...]
    catalog_rules: tuple[Rule, ...]
    orphan_strategy: str
    half_life_days: int
    bots: tuple[str, ...]
    log_level: str

    @property
    def guests_may_everything(self) -> bool:
        """Whether guests have all rights: where nothing is set, on a Portal that only its own machine reaches."""
        if self.guest_rights:
            return self.guest_rights == "everything"
        # Behind a proxy Portal serves on loopback too: then it is reached at another address.
        try:
            reached = urlsplit(self.base_url).hostname or ""
        except ValueError:
            return False
        return _is_loopback(self.host) and _is_loopback(reached)

    @property
    def repositories(self) -> Path:
        """The folder of the bare repositories that templates create where no remote is named."""
        return self.data / "repositories"

    @property
    def mirrors(self) -> Path:
        """The folder of git mirrors."""
        return self.data / "mirrors"

    @property
    def workspaces(self) -> Path:
        """The folder of the workspaces of scaffolder tasks."""
        return self.data / "workspaces"

    def shown(self) -> dict[str, Any]:
        """Return the settings as they may be printed: passwords are masked."""
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            value = getattr(self, setting.name)
            if setting.show is not None:
                value = setting.show(value)
            elif isinstance(value, Path):
                value = str(value)
            elif isinstance(value, tuple):
                value = [_masked(item) for item in value]
            elif isinstance(value, str):
                value = _masked(value)
            values[setting.name] = value
        return values


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the file and, as PORTAL_NAME, in the environment; its default; what it means.

    `write` and `show` are there where a value is more than a text: what its variable holds, and what may be printed.
    """

    name: str
    default: Any
    help: str
    parse: Callable[[Any], Any]
    write: Callable[[Any], str] | None = None
    show: Callable[[Any], Any] | None = None

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"PORTAL_{self.name.upper()}"

    def variable_text(self, value: Any) -> str:
        """Return the text by which the variable says the value, secrets included."""
        if self.write is not None:
            return self.write(value)
        return "\n".join(value) if isinstance(value, tuple) else str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return value


def _any_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004  # one kind of fault for the caller to report
    return value


def _whole(minimum: int, maximum: int | None = None) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        limits = f"{minimum} or more" if maximum is None else f"between {minimum} and {maximum}"
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise ValueError(f"a whole number, {limits}") from None
        if isinstance(value, (bool, float)) or number < minimum or (maximum is not None and number > maximum):
            raise ValueError(f"a whole number, {limits}")
        return number

    return parse


def _choice(*options: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in options:
            raise ValueError(f"one of {', '.join(options)}")
        return str(value)

    return parse


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _YES | _NO:
        return value.lower() in _YES
    raise ValueError("true or false")


def _texts(value: Any) -> tuple[str, ...]:
    items = [part.strip() for part in value.splitlines()] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("a list of texts (in the environment: one a line)")
    return tuple(item for item in items if item)


def _user_ref(value: Any) -> EntityRef:
    try:
        ref = EntityRef.parse(_text(value), default_kind="user")
    except InputError:
        ref = None
    if ref is None or ref.kind != "user":
        raise ValueError('a user reference such as "user:default/guest"')
    return ref


def _people(value: Any) -> tuple[EntityRef, ...]:
    found = []
    for text in _texts(value):
        try:
            ref = EntityRef.parse(text, default_kind="group")
        except InputError:
            ref = None
        if ref is None or ref.kind not in PEOPLE:
            raise ValueError('references of users and groups, such as "group:default/platform"')
        found.append(ref)
    return tuple(found)


def _path(value: Any) -> Path:
    return Path(value) if isinstance(value, Path) else Path(_text(value)).expanduser()


SETTINGS: tuple[Setting, ...] = (
    Setting("host", "127.0.0.1", "Address to serve on.", _text),
    Setting("port", 7007, "Port to serve on.", _whole(1, _LARGEST_PORT)),
    Setting(
        "database",
        "",
        "Database url: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. Empty: portal.db in the data folder.",
        _any_text,
    ),
    Setting("data", ".portal", "Folder for mirrors, workspaces, repositories and the embedded database.", _path),
    Setting(
        "catalog",
        (),
        "Locations to ingest: git urls (REMOTE#BRANCH:PATTERN) or folders. Empty: Portal's own reference catalog.",
        _texts,
    ),
    Setting("worker", default=True, help="Whether this server also runs scaffolder tasks and refreshes.", parse=_flag),
    Setting("threads", 8, "Threads that answer requests.", _whole(1)),
    Setting("followers", 16, "Clients that may follow the changes at once, each on a thread of its own.", _whole(0)),
    Setting("base_url", "", "Url that people reach Portal at. Empty: http://HOST:PORT.", _any_text),
    Setting("refresh_seconds", 60, "Time between two looks at all sources; 0: only by hand.", _whole(0)),
    Setting("file_size_bytes", 5 * 1024 * 1024, "Largest catalog file that is read.", _whole(1)),
    Setting("yaml_depth", 100, "Deepest nesting of YAML that is read.", _whole(1, 500)),
    Setting(
        "git_schemes",
        ("https", "http", "ssh", "git"),
        "Git transports that catalogs and requests may name; the operator's own locations may also be files.",
        _texts,
    ),
    Setting(
        "integrations",
        (),
        "Git hosts: host, type, token, username, base_url of each; the public ones are known.",
        structured.parse_integrations,
        structured.write_integrations,
        structured.show_integrations,
    ),
    Setting(
        "reading_hosts",
        (),
        "Hosts that catalogs may read single files from, and networks of private addresses that they may be at.",
        structured.parse_reading_hosts,
    ),
    Setting(
        "catalog_rules",
        (),
        "Kinds that locations may bring: allow and locations of each rule. Empty: all kinds.",
        structured.parse_catalog_rules,
        structured.write_catalog_rules,
        structured.show_catalog_rules,
    ),
    Setting(
        "orphan_strategy",
        "delete",
        "What becomes of entities that nothing names any more: delete, or keep with an annotation.",
        _choice("delete", "keep"),
    ),
    Setting(
        "half_life_days",
        180,
        "Time after which a commit counts half, where owners are compared with those who commit.",
        _whole(1),
    ),
    Setting(
        "bots",
        (
            "*[bot]*",
            "*-bot",
            "*-bot@*",
            "dependabot*",
            "renovate*",
            "github-actions*",
            "project_*_bot*",
            "group_*_bot*",
        ),
        "Names or addresses of authors that are no people; * stands for anything.",
        _texts,
    ),
    Setting(
        "guests",
        default=True,
        help="Whether requests without a token are answered; guests may sign in then.",
        parse=_flag,
    ),
    Setting("guest", "user:development/guest", "The user that guests are when they sign in.", _user_ref),
    Setting(
        "guest_rights",
        "",
        "What guests may do: everything, or read. Empty: everything where Portal serves on and is reached at loopback.",
        _choice("", "everything", "read"),
    ),
    Setting("admins", (), "Users and groups who may do everything, such as group:default/platform.", _people),
    Setting(
        "external_access",
        (),
        "Tokens of programs: type, options (token, subject), accessRestrictions of each, as in Backstage.",
        structured.parse_access,
        structured.write_access,
        structured.show_access,
    ),
    Setting("log_level", "info", "debug, info, warning or error.", _text),
)


def load_settings(
    *,
    environment: Mapping[str, str],
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings: defaults, then the TOML file, then PORTAL_* variables, then `overrides`, the last winning.

    `file` is read where it exists, else PORTAL_CONFIG, else `portal.toml` of the current folder. Raises
    `SettingsError` naming every setting that is unknown or not understood, with where it was found.
    """
    values: dict[str, tuple[Any, str]] = {}
    faults: list[str] = []
    known = {setting.name: setting for setting in SETTINGS}
    for name, value in _file_values(file, environment).items():
        if name in known:
            values[name] = (value, "the settings file")
        else:
            faults.append(f'"{name}" in the settings file is not a setting; known are {", ".join(known)}')
    for setting in SETTINGS:
        if setting.variable in environment:
            values[setting.name] = (environment[setting.variable], setting.variable)
    values |= {name: (value, "the command line") for name, value in (overrides or {}).items() if value is not None}
    parsed: dict[str, Any] = {}
    for setting in SETTINGS:
        value, where = values.get(setting.name, (setting.default, "the default"))
        try:
            parsed[setting.name] = setting.parse(value)
        except ValueError as error:
            # What a table holds may be a secret.
            found = "a value" if setting.show is not None else repr(_masked(str(value)))
            faults.append(f"{setting.name} from {where}: found {found}; expected {error}")
    if faults:
        raise SettingsError("\n".join(faults))
    settings = Settings(**parsed)
    data = settings.data.absolute()
    filled: dict[str, Any] = parsed | {"data": data}
    if not settings.database:
        filled["database"] = f"sqlite:///{data / 'portal.db'}"
    if not settings.base_url:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        filled["base_url"] = f"http://{host}:{settings.port}"
    return Settings(**filled)


def _file_values(file: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    named = file or (Path(environment["PORTAL_CONFIG"]) if environment.get("PORTAL_CONFIG") else None)
    path = named or Path(CONFIG_FILE)
    if named is None and not path.exists():
        return {}
    try:
        return _substituted(tomllib.loads(path.read_text(encoding="utf-8")), environment, path)
    except OSError as error:
        raise SettingsError(f'The settings file "{path}" cannot be read: {error.strerror}') from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f'The settings file "{path}" is not TOML: {error}') from error


def _substituted(values: dict[str, Any], environment: Mapping[str, str], path: Path) -> dict[str, Any]:
    try:
        return {name: structured.substituted(value, environment) for name, value in values.items()}
    except ValueError as error:
        raise SettingsError(f'The settings file "{path}" expects {error}') from None


def _is_loopback(host: str) -> bool:
    """Return whether a name or address is this machine's own, whatever names resolve to."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _masked(text: str) -> str:
    """Return a text without the password of a url in it."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if not parts.scheme or "@" not in parts.netloc:
        return text
    credentials, _, host = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = f"{user}:***@{host}" if colon else f"***@{host}"
    return urlunsplit(parts._replace(netloc=shown))
