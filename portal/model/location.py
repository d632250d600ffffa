"""Locations: where catalog files are, as `type:target`."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote, urljoin, urlsplit

from portal.errors import InputError
from portal.model.hosted import hosted_url, quoted
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.login import holds_login, without_credentials
from portal.model.sentence import Sentence, either

DEFAULT_PATTERN = "catalog-info.yaml"
LOCATION_TYPES = ("url", "file")
#: Before the location of the entity that stands for a location itself: it is in no file.
GENERATED_PREFIX = "generated:"
_SCP_LIKE = re.compile(r"[A-Za-z0-9_.\-]+@[A-Za-z0-9_.\-]+:(?!//)")
#: What the name of a file ends with that may be read from any web server, where it is no repository's.
_FILE_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True, slots=True)
class Tree:
    """What is read as a whole: one branch of a git remote, a folder, or a single file of a web server.

    A `git` tree's `root` is the remote and `branch` may be empty for the default one; a `folder` tree's root is an
    absolute path; a `web` tree's root is the url of its one file, whose path is empty. A `trusted` tree was named by
    the operator, not by a catalog or a request.
    """

    type: str
    root: str
    branch: str = ""
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Files of a tree: a path or glob pattern, and how the locations of its files are written.

    A location is `prefix`, the path, and `suffix`; `is_url` where it is a url as hosts write them, with a quoted path.
    """

    tree: Tree
    pattern: str
    prefix: str
    suffix: str = ""
    is_url: bool = False

    @property
    def is_glob(self) -> bool:
        """Whether the pattern may name any number of files."""
        return is_glob(self.pattern)

    def location(self, path: str) -> str:
        """Return the location `type:target` of a file of the tree."""
        return f"{self.prefix}{quoted(path)}{self.suffix}" if self.is_url else f"{self.prefix}{path}"

    def path_of(self, location: str) -> str | None:
        """Return the path of the file that has a location, None where it is none of this tree."""
        if not location.startswith(self.prefix) or not location.endswith(self.suffix):
            return None
        path = location[len(self.prefix) : len(location) - len(self.suffix)]
        return unquote(path) if self.is_url else path

    def matches(self, path: str) -> bool:
        """Return whether the pattern names this file."""
        return path_matches(path, self.pattern)

    def longer_branches(self) -> list[Target]:
        """Return what else the url may mean: its branch may hold `/`, so going on into what looks like the path."""
        if not self.is_url or self.suffix or self.tree.type != "git":
            return []
        parts = self.pattern.split("/")
        before = self.prefix.removesuffix(f"{quoted(self.tree.branch)}/")
        found = []
        for count in range(1, len(parts) + 1):
            if is_glob(parts[count - 1]):
                break
            branch = "/".join((self.tree.branch, *parts[:count]))
            pattern = "/".join(parts[count:]) or DEFAULT_PATTERN
            prefix = f"{before}{quoted(branch)}/"
            found.append(replace(self, tree=replace(self.tree, branch=branch), pattern=pattern, prefix=prefix))
        return found


def path_matches(path: str, pattern: str) -> bool:
    """Return whether a path or glob pattern names the file at a path."""
    if path == pattern:
        return True
    from wcmatch import glob  # noqa: PLC0415  # a server reads nothing before its first answer

    flags = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX
    return bool(glob.globmatch(path, pattern, flags=flags))


def is_glob(pattern: str) -> bool:
    """Return whether a pattern has wildcards."""
    return any(character in pattern for character in "*?[{")


def parse_location(text: str) -> tuple[str, str]:
    """Return (type, target) of a location `type:target`. Raises `InputError` where either is missing."""
    location_type, colon, target = text.partition(":")
    if not colon or not location_type or not target:
        raise InputError(Sentence('Location "%(text)s" is not of the form <type>:<target>', text=text))
    return location_type, target


def parse_target(
    location_type: str,
    target: str,
    *,
    trusted: bool = False,
    integrations: Integrations = NO_INTEGRATIONS,
    allows_login: bool = False,
) -> Target:
    """Return what a location's absolute target names.

    `url` targets are `REMOTE`, `REMOTE#BRANCH`, `REMOTE#BRANCH:PATTERN`, `REMOTE#:PATTERN`, the url of a file or
    folder as GitHub, GitLab, Gitea, Bitbucket and Azure DevOps show it, or that of a YAML or JSON file of any web
    server. `file` targets are absolute paths, `FOLDER#:PATTERN` with a pattern. Without a pattern it is
    `catalog-info.yaml`. Raises `InputError` for anything else, and for a url with a login unless `allows_login`: what
    is read is kept by its location, and everybody may read that.
    """
    if not target or min(target) < " ":
        raise InputError(Sentence("A location's target must not be empty or hold control characters"))
    if location_type == "file":
        return _folder_target(target, trusted=trusted)
    if location_type not in LOCATION_TYPES:
        raise InputError(
            Sentence(
                'Location type "%(type)s" is not supported; expected %(types)s',
                type=location_type,
                types=either(LOCATION_TYPES),
            )
        )
    remote, hash_mark, fragment = target.partition("#")
    if not allows_login and (holds_login(remote) or holds_login(target)):
        raise InputError(
            Sentence(
                'Location target "%(target)s" holds a login, which everybody could read; take it out '
                "of the url, and name the host with its token in the setting integrations",
                target=without_credentials(target),
            )
        )
    try:
        parts = urlsplit(remote)
        parts.port  # noqa: B018  # raises where it is no number
    except ValueError as error:
        raise InputError(
            Sentence('Location target "%(target)s" is not a url: %(error)s', target=target, error=str(error))
        ) from error
    if not (parts.scheme or _SCP_LIKE.match(remote)):
        raise InputError(Sentence('Location target "%(target)s" is not a url', target=target))
    if not hash_mark and parts.scheme in {"http", "https"}:
        found = _hosted_target(remote, trusted=trusted, integrations=integrations)
        if found is not None:
            return found
        if parts.query or posixpath.splitext(parts.path)[1].lower() in _FILE_SUFFIXES:
            return web_target(remote, trusted=trusted)
    branch, _, pattern = fragment.partition(":")
    pattern = normal_path(unquote(pattern) if "%" in pattern else pattern) or DEFAULT_PATTERN
    return Target(Tree("git", remote, branch, trusted), pattern, f"url:{remote}#{branch}:")


def web_target(url: str, *, trusted: bool = False) -> Target:
    """Return the target of a single file of a web server. Raises `InputError` for a pattern: no server lists files."""
    if is_glob(urlsplit(url).path):
        raise InputError(
            Sentence('Location target "%(url)s" is a pattern; files of a web server are named one by one', url=url)
        )
    return Target(Tree("web", url, trusted=trusted), "", f"url:{url}")


def git_target(remote: str, *, branch: str = "", pattern: str = DEFAULT_PATTERN) -> str:
    """Return the `url` target that names files of a git remote."""
    return f"{remote}#{branch}:{pattern}"


def relative_target(target: Target, *, base: str, relative: str) -> Target:
    """Return the target that `relative` names, seen from the file at path `base` of the same tree.

    A leading `/` means the root of the tree, or of the web server. Raises `InputError` when it leaves the tree.
    """
    if target.tree.type == "web":
        return web_target(urljoin(target.tree.root, relative), trusted=target.tree.trusted)
    text = unquote(relative) if target.tree.type == "git" and "%" in relative else relative
    joined = text.lstrip("/") if text.startswith("/") else posixpath.join(posixpath.dirname(base), text)
    return replace(target, pattern=normal_path(joined))


def is_absolute_target(text: str) -> bool:
    """Return whether a Location's target stands for itself, not relative to its file."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.\-]*://", text) or _SCP_LIKE.match(text))


def normal_path(path: str) -> str:
    """Return a path of a tree without `.` and `..`. Raises `InputError` when it leads out of the tree."""
    if not path:
        return ""
    normal = posixpath.normpath(path).lstrip("/")
    if normal == ".." or normal.startswith("../"):
        raise InputError(Sentence('"%(path)s" leads out of the repository', path=path))
    return "" if normal == "." else normal


def _folder_target(target: str, *, trusted: bool) -> Target:
    folder, _, pattern = target.partition("#:")
    if not folder.startswith("/"):
        raise InputError(Sentence('Location target "%(target)s" is not an absolute path', target=target))
    root = posixpath.normpath(folder)
    if not pattern and posixpath.splitext(root)[1] in {".yaml", ".yml", ".json"}:
        root, pattern = posixpath.split(root)
    return Target(Tree("folder", root, trusted=trusted), normal_path(pattern) or DEFAULT_PATTERN, f"file:{root}/")


def _hosted_target(url: str, *, trusted: bool, integrations: Integrations) -> Target | None:
    found = hosted_url(url, integrations)
    if found is None:
        return None
    pattern = normal_path(found.path) or DEFAULT_PATTERN
    tree = Tree("git", found.remote, found.branch, trusted)
    return Target(tree, pattern, f"url:{found.prefix}", found.suffix, is_url=True)
