"""How git hosts write the urls of files, for reading, editing, naming their folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from portal.model.integration import Integrations

#: What stands between the repository and the branch, by type of host: as files are shown first.
_MARKERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "github": ("/blob/", "/tree/", "/raw/", "/edit/", "/blame/"),
        "gitlab": ("/-/blob/", "/-/tree/", "/-/raw/", "/-/edit/", "/blob/", "/tree/", "/raw/", "/edit/"),
        "gitea": ("/src/branch/", "/src/tag/", "/src/commit/", "/raw/branch/", "/raw/tag/", "/raw/commit/", "/_edit/"),
        "bitbucketCloud": ("/src/", "/raw/"),
    }
)
#: What each marker that does not show a file stands for.
_SHOWN: Mapping[str, str] = MappingProxyType(
    {
        "/tree/": "/blob/",
        "/raw/": "/blob/",
        "/edit/": "/blob/",
        "/blame/": "/blob/",
        "/-/tree/": "/-/blob/",
        "/-/raw/": "/-/blob/",
        "/-/edit/": "/-/blob/",
        "/raw/branch/": "/src/branch/",
        "/raw/tag/": "/src/tag/",
        "/raw/commit/": "/src/commit/",
        "/_edit/": "/src/branch/",
    }
)
#: The types that the url of a host which no setting names is tried as, the most telling first.
_GUESSED = ("gitea", "github", "gitlab")
_REPOSITORY_PARTS = 2
_SCP = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!//)(.+)")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^@/]*@)?(.*)", re.IGNORECASE)
_PORT = re.compile(r"^([^/:]+):[0-9]+(?=/)")
_SERVER = re.compile(
    r"(?P<context>/.*?)??/(?:projects/(?P<project>[^/]+)|users/(?P<user>[^/]+))/repos/(?P<repository>[^/]+)"
    r"/(?:browse|raw|src)(?:/(?P<path>.*))?"
)
_SERVER_REMOTE = re.compile(r"(?P<context>.*)/scm/(?P<owner>~?[^/]+)/(?P<repository>[^/]+)")
_AZURE = re.compile(r"(?P<repository>(?:/[^/]+){0,3}/_git/[^/]+)/?")
_COMMIT = re.compile(r"\b[0-9a-f]{40,}\b")
_PATH_SAFE = "/@:~!$&'()*+,;="


@dataclass(frozen=True, slots=True)
class HostedUrl:
    """The url of a file or folder that a git host shows, taken apart.

    `type` is the host's, `remote` the repository's git url, `branch` empty for the default one. The url of any other
    file of the branch is `prefix`, its quoted path, and `suffix`. Where the branch stands in the path, it may go on
    into what is taken for the `path`: branches may hold `/`.
    """

    type: str
    remote: str
    branch: str
    path: str
    prefix: str
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Links:
    """Where people see a file, where they edit it, and the url of its folder; empty where a host has none."""

    view: str
    edit: str = ""
    folder: str = ""


def hosted_url(url: str, integrations: Integrations) -> HostedUrl | None:
    """Return what an http(s) url of a git host names; None when it is of no form that a host writes.

    Hosts that are not known are told by the form of the url. Rule: the urls that `@backstage/integration` 2.1 reads.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    known = integrations.by_url(url)
    if known is not None:
        return _PARSERS[known.type](parts, known.type)
    kinds = ("gitlab",) if "/-/" in parts.path else ("azure", "bitbucketServer", *_GUESSED)
    for kind in kinds:
        found = _PARSERS[kind](parts, kind)
        if found is not None:
            return found
    return None


def shown_url(remote: str, branch: str, path: str, integrations: Integrations) -> str:
    """Return the url at which a known host shows a file of a repository; empty where that cannot be told."""
    known = integrations.by_url(remote)
    if known is None:
        return ""
    parts = urlsplit(remote)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    repository = parts.path.rstrip("/").removesuffix(".git")
    shown = quoted(path)
    if known.type == "azure":
        version = f"&version=GB{quote(branch, safe='/')}" if branch else ""
        return f"{place}{repository}?path=/{shown}{version}"
    if known.type == "bitbucketServer":
        found = _SERVER_REMOTE.fullmatch(repository)
        if found is None:
            return ""
        owner = found["owner"]
        project = f"users/{owner[1:]}" if owner.startswith("~") else f"projects/{owner}"
        at = f"?at={quote(branch, safe='/')}" if branch else ""
        return f"{place}{found['context']}/{project}/repos/{found['repository']}/browse/{shown}{at}"
    if known.type == "gitea" and not branch:
        return ""
    return f"{place}{repository}{_MARKERS[known.type][0]}{quoted(branch or 'HEAD')}/{shown}"


def links(url: str, kind: str) -> Links:
    """Return where a file is seen and edited, given the url at which a host of a type (empty: unknown) shows it.

    Rule: `resolveUrl("./")` and `resolveEditUrl` of `@backstage/integration` 2.1; `AnnotateLocationEntityProcessor`
    of catalog-backend 4.0.0 gives no url for editing what stands at a commit.
    """
    if not kind:
        return Links(url)
    address, mark, query = url.partition("?")
    folder = address.rpartition("/")[0] + "/"
    if kind == "github":
        edit, folder = _marked(address, "/edit/"), _marked(folder, "/tree/")
    elif kind == "gitlab":
        edit = re.sub(r"/-/(blob|tree|edit)/", "/-/edit/", address, count=1)
    elif kind == "gitea":
        edit = re.sub(r"/src/(branch|tag|commit)/", "/_edit/", address, count=1)
    elif kind == "bitbucketCloud":
        branch = address.partition("/src/")[2].partition("/")[0]
        edit = f"{address}?{urlencode({'mode': 'edit', 'at': unquote(branch)})}"
    elif kind == "bitbucketServer":
        edit, folder = address, f"{folder}{mark}{query}"
    else:
        edit, folder = url, _azure_folder(address, query)
    return Links(url, "" if _COMMIT.search(url) else edit, folder)


def quoted(path: str) -> str:
    """Return a path as it stands in a url."""
    return quote(path, safe=_PATH_SAFE)


def _marked(url: str, marker: str) -> str:
    return re.sub(r"^(https?://[^/]+/[^/]+/[^/]+)/(blob|tree|edit)/", rf"\1{marker}", url)


def _azure_folder(address: str, query: str) -> str:
    values = dict(parse_qsl(query))
    values["path"] = values.get("path", "/").rpartition("/")[0] + "/"
    return f"{address}?{urlencode(values)}"


def _in_path(parts: SplitResult, kind: str) -> HostedUrl | None:
    """Take apart a url in which the branch stands between a marker and the path."""
    segments = parts.path.split("/", _REPOSITORY_PARTS + 1)
    if len(segments) <= _REPOSITORY_PARTS + 1 or not all(segments[1:]):
        return None
    # Organisation and repository come first, and may be named as a marker is.
    owner = "/".join(segments[: _REPOSITORY_PARTS + 1])
    rest = f"/{segments[-1]}"
    found = [(rest.find(marker), -len(marker), marker) for marker in _MARKERS[kind] if marker in rest]
    if not found:
        return None
    start, _, marker = min(found)
    if kind in {"github", "bitbucketCloud"} and start:
        return None
    branch, _, path = rest[start + len(marker) :].partition("/")
    if not branch:
        return None
    remote = f"{parts.scheme}://{parts.netloc}{owner}{rest[:start]}"
    shown = "/src/" if kind == "bitbucketCloud" else _SHOWN.get(marker, marker)
    name = unquote(branch)
    return HostedUrl(kind, remote, name, unquote(path), f"{remote}{shown}{quoted(name)}/")


def _server(parts: SplitResult, kind: str) -> HostedUrl | None:
    found = _SERVER.fullmatch(parts.path)
    if found is None:
        return None
    query = dict(parse_qsl(parts.query))
    branch = query.get("at", "").removeprefix("refs/heads/").removeprefix("refs/tags/")
    place = f"{parts.scheme}://{parts.netloc}{found['context'] or ''}"
    owner = found["project"] or f"~{found['user']}"
    project = f"projects/{found['project']}" if found["project"] else f"users/{found['user']}"
    prefix = f"{place}/{project}/repos/{found['repository']}/browse/"
    suffix = f"?at={quote(branch, safe='/')}" if branch else ""
    remote = f"{place}/scm/{owner}/{found['repository']}.git"
    return HostedUrl(kind, remote, branch, unquote(found["path"] or ""), prefix, suffix)


def _azure(parts: SplitResult, kind: str) -> HostedUrl | None:
    found = _AZURE.fullmatch(parts.path)
    query = dict(parse_qsl(parts.query))
    if found is None or "path" not in query:
        return None
    version = query.get("version", "")
    # GB is before a branch, GT a tag, GC a commit.
    branch = version[2:] if version[:2] in {"GB", "GT", "GC"} else ""
    remote = f"{parts.scheme}://{parts.netloc}{found['repository']}"
    suffix = f"&version={version[:2]}{quote(branch, safe='/')}" if branch else ""
    return HostedUrl(kind, remote, branch, query["path"].lstrip("/"), f"{remote}?path=/", suffix)


_PARSERS: Mapping[str, Callable[[SplitResult, str], HostedUrl | None]] = MappingProxyType(
    dict.fromkeys(_MARKERS, _in_path) | {"azure": _azure, "bitbucketServer": _server}
)


def repository_name(url: str) -> str:
    """Return what all urls of one repository have in common: host and path, without login, port, `.git`."""
    text = url.strip()
    scp = _SCP.fullmatch(text)
    found = _URL.fullmatch(text)
    if found:
        text = _PORT.sub(r"\1", found[1])
    elif scp:
        text = f"{scp[1]}/{scp[2]}"
    host, slash, path = text.partition("/")
    return f"{host.lower()}{slash}{path}".rstrip("/").removesuffix(".git")
