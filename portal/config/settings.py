"""Settings: one table of names, defaults, meanings, read from TOML, PORTAL_* variables, the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from portal.config import parsing, structured
from portal.config.data_folder import NAME, data_folder
from portal.errors import SettingsError
from portal.model.access import ExternalAccess
from portal.model.integration import Integration
from portal.model.ref import EntityRef
from portal.model.rules import Rule
from portal.model.sign_in import SignInProvider, is_loopback
from portal.model.webhook import Webhook

CONFIG_FILE = "portal.toml"
_LARGEST_PORT = 65_535
_LEVELS = ("debug", "info", "warning", "error")
#: What a client may do where others than this machine can reach Portal: no page asks for a tenth of it.
_USUAL_RATE = "3000/minute"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


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
    lease_seconds: int
    tasks_at_once: int
    step_seconds: int
    task_seconds: int
    unknown_inputs: str
    workspace_url: str
    health_port: int
    file_size_bytes: int
    yaml_depth: int
    git_schemes: tuple[str, ...]
    integrations: tuple[Integration, ...]
    webhooks: tuple[Webhook, ...]
    guests: bool
    guest: EntityRef
    external_access: tuple[ExternalAccess, ...]
    token_days: int
    audit_days: int
    sign_in_providers: tuple[SignInProvider, ...]
    session_seconds: int
    app_origins: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    admins: tuple[EntityRef, ...]
    guest_rights: str
    reading_hosts: tuple[str, ...]
    catalog_rules: tuple[Rule, ...]
    orphan_strategy: str
    half_life_days: int
    bots: tuple[str, ...]
    rate_limit: str
    proxies: int
    stop_seconds: int
    log_level: str
    log_format: str
    log_requests: bool
    traces: str

    @property
    def is_local(self) -> bool:
        """Whether nobody but people of this machine can reach Portal."""
        return is_loopback(self.host) and is_loopback(urlsplit(self.base_url).hostname)

    @property
    def guests_may_everything(self) -> bool:
        """Whether guests have all rights: where nothing is set, on a Portal that only its own machine reaches."""
        if self.guest_rights:
            return self.guest_rights == "everything"
        return self.is_local

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

    @property
    def requests_allowed(self) -> str | None:
        """The rate at which one client may send requests, such as 3000/minute; None: any."""
        if not self.rate_limit:
            return None if self.host in _LOOPBACK else _USUAL_RATE
        return None if self.rate_limit == "off" else self.rate_limit

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
                value = [parsing.masked(item) for item in value]
            elif isinstance(value, str):
                value = parsing.masked(value)
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


SETTINGS: tuple[Setting, ...] = (
    Setting("host", "127.0.0.1", "Address to serve on.", parsing.text),
    Setting("port", 7007, "Port to serve on.", parsing.whole(1, _LARGEST_PORT)),
    Setting(
        "database",
        "",
        "Database url: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. Empty: portal.db in the data folder.",
        parsing.any_text,
    ),
    Setting(
        "data",
        NAME,
        "Folder for mirrors, workspaces, repositories and the embedded database; in a repository that a template made, "
        "where nothing is said, that of the nearest folder above it.",
        parsing.path,
    ),
    Setting(
        "catalog",
        (),
        "Locations to ingest: git urls (REMOTE#BRANCH:PATTERN) or folders. Empty: Portal's own reference catalog.",
        parsing.texts,
    ),
    Setting(
        "worker", default=True, help="Whether this server also runs scaffolder tasks and refreshes.", parse=parsing.flag
    ),
    Setting("threads", 8, "Threads that answer requests.", parsing.whole(1)),
    Setting(
        "followers", 16, "Clients that may follow the changes at once, each on a thread of its own.", parsing.whole(0)
    ),
    Setting("base_url", "", "Url that people reach Portal at. Empty: http://HOST:PORT.", parsing.any_text),
    Setting("refresh_seconds", 60, "Time between two looks at all sources; 0: only by hand.", parsing.whole(0)),
    Setting(
        "lease_seconds",
        30,
        "Time within which other workers take over from one that has died or does not answer.",
        parsing.whole(2),
    ),
    Setting(
        "tasks_at_once", 10, "Tasks that one worker runs at once; the others wait in their order.", parsing.whole(1)
    ),
    Setting("step_seconds", 3600, "Time that one step of a task may take; 0: as long as it likes.", parsing.whole(0)),
    Setting(
        "task_seconds",
        86_400,
        "Time that a task may take once it is taken up; 0: as long as it likes.",
        parsing.whole(0),
    ),
    Setting(
        "unknown_inputs",
        "warn",
        "What becomes of inputs that an action does not know: warn (the step's log tells of them), or strict (the step "
        "fails, as in Backstage since 4.2).",
        parsing.choice("warn", "strict"),
    ),
    Setting(
        "workspace_url",
        "",
        "Url of fsspec at which the files of tasks are kept from step to step, such as s3://BUCKET/FOLDER, so that "
        "workers without a shared data folder go on with them. Empty: in the data folder alone.",
        parsing.any_text,
    ),
    Setting(
        "health_port",
        0,
        "Port at which `portal worker` tells its health and figures, on `host`; 0: none.",
        parsing.whole(0, _LARGEST_PORT),
    ),
    Setting("file_size_bytes", 5 * 1024 * 1024, "Largest catalog file that is read.", parsing.whole(1)),
    Setting("yaml_depth", 100, "Deepest nesting of YAML that is read.", parsing.whole(1, 500)),
    Setting(
        "git_schemes",
        ("https", "http", "ssh", "git"),
        "Git transports that catalogs and requests may name; the operator's own locations may also be files.",
        parsing.texts,
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
        "webhooks",
        (),
        "Secrets of the webhooks of git hosts: type, secret, host of each.",
        structured.parse_webhooks,
        structured.write_webhooks,
        structured.show_webhooks,
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
        "Kinds that locations may bring: allow and locations of each rule. Empty: all kinds; but unless guests may do "
        "everything, a location that people register brings no Group, User, Role, Layer, Policy or KindDefinition.",
        structured.parse_catalog_rules,
        structured.write_catalog_rules,
        structured.show_catalog_rules,
    ),
    Setting(
        "orphan_strategy",
        "delete",
        "What becomes of entities that nothing names any more: delete, or keep with an annotation.",
        parsing.choice("delete", "keep"),
    ),
    Setting(
        "half_life_days",
        180,
        "Time after which a commit counts half, where owners are compared with those who commit.",
        parsing.whole(1),
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
        parsing.texts,
    ),
    Setting(
        "guests",
        default=None,
        help="Whether people may look around without signing in. Empty: on this machine alone, if nobody can sign in.",
        parse=parsing.flag_or_none,
    ),
    Setting("guest", "user:development/guest", "The user that guests are when they sign in.", parsing.user_ref),
    Setting(
        "guest_rights",
        "",
        "What guests may do: everything, or read. Empty: everything where Portal serves on and is reached at loopback.",
        parsing.choice("", "everything", "read"),
    ),
    Setting("admins", (), "Users and groups who may do everything, such as group:default/platform.", parsing.people),
    Setting(
        "external_access",
        (),
        "Tokens of programs: type, options (token, subject), accessRestrictions of each, as in Backstage.",
        structured.parse_access,
        structured.write_access,
        structured.show_access,
    ),
    Setting("token_days", 365, "Longest life of an API token, in days.", parsing.whole(1, 36_500)),
    Setting(
        "audit_days", 365, "How long records of who did what are kept, in days; 0: for ever.", parsing.whole(0, 36_500)
    ),
    Setting(
        "sign_in_providers",
        (),
        "OpenID Connect providers that people sign in with: id, issuer, client_id, client_secret and more of each.",
        structured.parse_sign_in_providers,
        structured.write_sign_in_providers,
        structured.show_sign_in_providers,
    ),
    Setting("session_seconds", 12 * 3600, "How long people stay signed in.", parsing.whole(60)),
    Setting(
        "app_origins",
        (),
        "Origins of Backstage frontends that people may sign in from, and whose pages may read and write, beside "
        "that of base_url.",
        structured.parse_origins,
    ),
    Setting(
        "trusted_hosts",
        (),
        "Names that people may reach Portal by, beside that of base_url; *.example.com stands for all below it.",
        parsing.texts,
    ),
    Setting(
        "rate_limit",
        "",
        "Requests that one client may send, such as 3000/minute (second, minute, hour), or off. "
        "Empty: off on loopback, 3000/minute elsewhere.",
        parsing.rate,
    ),
    Setting(
        "proxies", 0, "Reverse proxies in front, whose X-Forwarded-For tells the address of clients.", parsing.whole(0)
    ),
    Setting(
        "stop_seconds",
        30,
        "Time that requests and steps under way have to end when Portal is stopped.",
        parsing.whole(1, 3600),
    ),
    Setting("log_level", "info", "What the log tells: debug, info, warning or error.", parsing.choice(*_LEVELS)),
    Setting("log_format", "text", "The form of log lines: text or json.", parsing.choice("text", "json")),
    Setting(
        "log_requests", default=False, help="Whether each request is logged when it is answered.", parse=parsing.flag
    ),
    Setting(
        "traces",
        "",
        "Url that OpenTelemetry traces are sent to, by OTLP over HTTP; needs portal[otel]. Empty: none.",
        parsing.any_text,
    ),
)


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that say these settings to another process, secrets included."""
    return {setting.variable: setting.variable_text(getattr(settings, setting.name)) for setting in SETTINGS}


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
            found = "a value" if setting.show is not None else repr(parsing.masked(str(value)))
            faults.append(f"{setting.name} from {where}: found {found}; expected {error}")
    if faults:
        raise SettingsError("\n".join(faults))
    if "data" not in values:
        parsed["data"] = data_folder(Path.cwd())
    return _filled(parsed)


def _filled(parsed: Mapping[str, Any]) -> Settings:
    """Return settings with what follows from others where nothing is said."""
    filled = dict(parsed)
    filled["data"] = parsed["data"].absolute()
    host = f"[{parsed['host']}]" if ":" in parsed["host"] else parsed["host"]
    filled["database"] = parsed["database"] or f"sqlite:///{filled['data'] / 'portal.db'}"
    filled["base_url"] = parsed["base_url"] or f"http://{host}:{parsed['port']}"
    if parsed["guests"] is None:
        filled["guests"] = Settings(**filled).is_local and not parsed["sign_in_providers"]
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
