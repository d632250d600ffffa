"""The template filters that Backstage's scaffolder adds to the template language.

Rules: scaffolder-backend 4.2 (`createDefaultFilters`), scaffolder-node 0.13 `parseRepoUrl`, catalog-model
`parseEntityRef`, lodash `get`. A filter takes JSON values or `UNDEFINED`, and raises `InputError` for what it cannot
take.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from portal.errors import InputError
from portal.scaffolder.values import UNDEFINED, Undefined

#: What a repository URL must name, by the type of its host's integration; any other type needs owner and repo.
REQUIRED_REPO_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "azure": ("project", "repo"),
        "bitbucketCloud": ("workspace", "project", "repo"),
        "bitbucketServer": ("project", "repo"),
        "gerrit": ("repo",),
        "gitea": ("repo",),
    }
)


def builtin_filters(integrations: Mapping[str, str]) -> dict[str, Callable[..., Any]]:
    """Return the filters by the name that a template uses.

    `integrations` maps each configured host (`github.com`, `git.example.com:8443`) to its type (`github`, `gitlab`,
    `gitea`, `gerrit`, `azure`, `bitbucketCloud`, `bitbucketServer`).
    """
    return {
        "parseRepoUrl": partial(parse_repo_url, integrations=integrations),
        "parseEntityRef": parse_entity_ref,
        "pick": pick,
        "projectSlug": partial(project_slug, integrations=integrations),
    }


def parse_repo_url(url: Any, *_: Any, integrations: Mapping[str, str]) -> dict[str, str]:
    """Return host, owner, repo, organization, workspace and project of a repository picker's text, where given.

    The text has no scheme: `host?owner=..&repo=..`, values percent-encoded; slashes around a value are dropped. Raises
    `InputError` for a host that no integration is configured for, or when a part that its type needs is missing.
    """
    if not isinstance(url, str):
        raise InputError(f'found {url!r}; expected a repository such as "github.com?owner=team&repo=name"')
    try:
        parts = urlsplit(f"https://{url.strip()}")
        query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))  # the first of a name counts
    except ValueError as error:
        raise InputError(f'found "{url}": {error}; expected "host?owner=..&repo=.."') from error
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(":443").removesuffix(":")
    kind = integrations.get(host)
    if kind is None:
        hint = ". Leave out the scheme" if "://" in url else ""
        known = ", ".join(sorted(integrations)) or "none"
        raise InputError(f'found host "{host}" in "{url}"; expected a host with an integration ({known}){hint}')
    spec = {"host": host} | {
        name: query[name].strip("/")
        for name in ("owner", "repo", "organization", "workspace", "project")
        if name in query
    }
    if kind == "gitlab" and spec.get("project"):
        required: tuple[str, ...] = ()
    else:
        required = REQUIRED_REPO_PARTS.get(kind, ("owner", "repo"))
    missing = [name for name in required if not query.get(name)]
    if missing:
        raise InputError(
            f'found "{url}" without {" and ".join(missing)}; a {kind} repository needs {", ".join(required)}'
        )
    return spec


def project_slug(url: Any, *_: Any, integrations: Mapping[str, str]) -> str:
    """Return `owner/repo` of a repository picker's text; raises `InputError` as `parse_repo_url` does.

    Where the host's type needs no owner and the text has none, Backstage prints "undefined/repo"; this raises.
    """
    spec = parse_repo_url(url, integrations=integrations)
    missing = [name for name in ("owner", "repo") if name not in spec]
    if missing:
        raise InputError(f'found "{url}" without {" and ".join(missing)}; a slug is made of owner and repo')
    return f"{spec['owner']}/{spec['repo']}"


def parse_entity_ref(ref: Any, defaults: Any = UNDEFINED, *_: Any) -> dict[str, str]:
    """Return kind, namespace and name of an entity reference, in the case they are written in.

    `ref` is `[kind:][namespace/]name`, or a mapping of these three; `defaults` may hold `defaultKind` and
    `defaultNamespace` (else `default`). Raises `InputError` for a reference that is empty, malformed or without a kind.
    """
    given = defaults if isinstance(defaults, Mapping) else {}
    kind: Any
    namespace: Any
    name: Any
    if isinstance(ref, str) and ref:
        kind, namespace, name = _split_ref(ref)
    elif isinstance(ref, Mapping) and ref:
        kind, namespace, name = ref.get("kind"), ref.get("namespace"), ref.get("name")
    else:
        raise InputError(f'found {ref!r}; expected an entity reference such as "component:default/name"')
    kind = given.get("defaultKind") if kind is None else kind
    namespace = (given.get("defaultNamespace") or "default") if namespace is None else namespace
    found = {"kind": kind, "namespace": namespace, "name": name}
    faulty = [part for part, value in found.items() if not isinstance(value, str) or not value]
    if faulty:
        raise InputError(f'found {ref!r} without {" and ".join(faulty)}; expected "kind:namespace/name"')
    return {part: str(value) for part, value in found.items()}


def pick(value: Any, path: Any = UNDEFINED, default: Any = UNDEFINED, *_: Any) -> Any | Undefined:
    """Return the member of `value` at `path`, else `default`.

    `path` is `a.b`, `a[0]`, `a["b.c"]`, a number, or a list of keys; a member whose whole name is `path` comes first.
    Texts and lists have their positions and `length` as members.
    """
    keys = path if isinstance(path, list) else _keys(value, path)
    for key in keys:
        value = _member(value, _text(key))
    return default if value is UNDEFINED else value


def _split_ref(ref: str) -> tuple[str | None, str | None, str]:
    colon, slash = ref.find(":"), ref.find("/")
    if -1 < slash < colon:  # a colon after the slash is part of the name
        colon = -1
    kind = None if colon == -1 else ref[:colon]
    namespace = None if slash == -1 else ref[colon + 1 : slash]
    return kind, namespace, ref[max(colon, slash) + 1 :]


#: What makes a text a path rather than a name.
_DEEP = re.compile(r"""\.|\[(?:[^\[\]]*|(["'])(?:(?!\1)[^\\]|\\.)*?\1)\]""")

#: A name, a bracketed number or quoted text, or the empty name between two dots.
_KEY = re.compile(
    r"""[^.\[\]]+ | \[(?:(-?\d+(?:\.\d+)?)|(["'])((?:(?!\2)[^\\]|\\.)*?)\2)\] | (?=(?:\.|\[\])(?:\.|\[\]|$))""",
    re.VERBOSE,
)


def _keys(value: Any, path: Any) -> list[str]:
    text = _text(path)
    if not isinstance(path, str) or not _DEEP.search(text) or _member(value, text) is not UNDEFINED:
        return [text]
    keys = [""] if text.startswith(".") else []
    for match in _KEY.finditer(text):
        number, quote, quoted = match.groups()
        keys.append(re.sub(r"\\(\\)?", r"\1", quoted) if quote else number or match.group())
    return keys


def _text(key: Any) -> str:
    """Return a key as the template language prints it."""
    if isinstance(key, float) and key.is_integer():
        return str(int(key))
    words = {None: "null", True: "true", False: "false", UNDEFINED: "undefined"}
    return words[key] if key is None or isinstance(key, (bool, Undefined)) else str(key)


def _member(value: Any, key: str) -> Any | Undefined:
    if isinstance(value, Mapping):
        return value.get(key, UNDEFINED)
    if isinstance(value, (str, list)):
        if key == "length":
            return len(value)
        if re.fullmatch(r"0|[1-9]\d{0,9}", key, re.ASCII) and int(key) < len(value):
            return value[int(key)]
    return UNDEFINED
