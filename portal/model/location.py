"""Locations: where catalog files are, as `type:target`."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from wcmatch import glob

from portal.errors import InputError

DEFAULT_PATTERN = "catalog-info.yaml"
#: Before the location of the entity that stands for a location itself: it is in no file.
GENERATED_PREFIX = "generated:"
_GLOB_FLAGS = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX
_SCP_LIKE = re.compile(r"[A-Za-z0-9_.\-]+@[A-Za-z0-9_.\-]+:(?!//)")
#: How hosts write the url of a file: what stands between the repository and the branch.
_HOST_MARKERS = ("/-/blob/", "/-/tree/", "/-/raw/", "/blob/", "/tree/", "/raw/", "/edit/", "/src/branch/")


@dataclass(frozen=True, slots=True)
class Tree:
    """What is read as a whole: one branch of a git remote, or a folder.

    A `git` tree's `root` is the remote and `branch` may be empty for the default one; a `folder` tree's root is an
    absolute path. A `trusted` tree was named by the operator, not by a catalog or a request.
    """

    type: str
    root: str
    branch: str = ""
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Files of a tree: a path or glob pattern, and how the locations of its files are written."""

    tree: Tree
    pattern: str
    prefix: str

    @property
    def is_glob(self) -> bool:
        """Whether the pattern may name any number of files."""
        return is_glob(self.pattern)

    def location(self, path: str) -> str:
        """Return the location `type:target` of a file of the tree."""
        return f"{self.prefix}{path}"

    def matches(self, path: str) -> bool:
        """Return whether the pattern names this file."""
        return path == self.pattern or glob.globmatch(path, self.pattern, flags=_GLOB_FLAGS)


def is_glob(pattern: str) -> bool:
    """Return whether a pattern has wildcards."""
    return any(character in pattern for character in "*?[{")


def parse_location(text: str) -> tuple[str, str]:
    """Return (type, target) of a location `type:target`. Raises `InputError` where either is missing."""
    location_type, colon, target = text.partition(":")
    if not colon or not location_type or not target:
        raise InputError(f'Location "{text}" is not of the form <type>:<target>')
    return location_type, target


def parse_target(location_type: str, target: str, *, trusted: bool = False) -> Target:
    """Return what a location's absolute target names.

    `url` targets are `REMOTE`, `REMOTE#BRANCH`, `REMOTE#BRANCH:PATTERN`, `REMOTE#:PATTERN`, or the url of a file or
    folder as GitHub, GitLab, Gitea and Bitbucket show it. `file` targets are absolute paths, `FOLDER#:PATTERN` with a
    pattern. Without a pattern it is `catalog-info.yaml`. Raises `InputError` for anything else.
    """
    if not target or any(ord(character) < ord(" ") for character in target):
        raise InputError("A location's target must not be empty or hold control characters")
    if location_type == "file":
        return _folder_target(target, trusted=trusted)
    if location_type != "url":
        raise InputError(f'Location type "{location_type}" is not supported; expected url or file')
    remote, hash_mark, fragment = target.partition("#")
    try:
        urlsplit(remote)
    except ValueError as error:
        raise InputError(f'Location target "{target}" is not a url: {error}') from error
    if not (urlsplit(remote).scheme or _SCP_LIKE.match(remote)):
        raise InputError(f'Location target "{target}" is not a url')
    if not hash_mark:
        hosted = _hosted_target(remote, trusted=trusted)
        if hosted is not None:
            return hosted
    branch, _, pattern = fragment.partition(":")
    pattern = normal_path(unquote(pattern) if "%" in pattern else pattern) or DEFAULT_PATTERN
    return Target(Tree("git", remote, branch, trusted), pattern, f"url:{remote}#{branch}:")


def git_target(remote: str, *, branch: str = "", pattern: str = DEFAULT_PATTERN) -> str:
    """Return the `url` target that names files of a git remote."""
    return f"{remote}#{branch}:{pattern}"


def relative_target(target: Target, *, base: str, relative: str) -> Target:
    """Return the target that `relative` names, seen from the file at path `base` of the same tree.

    A leading `/` means the root of the tree. Raises `InputError` when it leaves the tree.
    """
    text = unquote(relative) if target.tree.type == "git" and "%" in relative else relative
    joined = text.lstrip("/") if text.startswith("/") else posixpath.join(posixpath.dirname(base), text)
    return Target(target.tree, normal_path(joined), target.prefix)


def is_absolute_target(text: str) -> bool:
    """Return whether a Location's target stands for itself, not relative to its file."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.\-]*://", text) or _SCP_LIKE.match(text))


def normal_path(path: str) -> str:
    """Return a path of a tree without `.` and `..`. Raises `InputError` when it leads out of the tree."""
    if not path:
        return ""
    normal = posixpath.normpath(path).lstrip("/")
    if normal == ".." or normal.startswith("../"):
        raise InputError(f'"{path}" leads out of the repository')
    return "" if normal == "." else normal


def _folder_target(target: str, *, trusted: bool) -> Target:
    folder, _, pattern = target.partition("#:")
    if not folder.startswith("/"):
        raise InputError(f'Location target "{target}" is not an absolute path')
    root = posixpath.normpath(folder)
    if not pattern and posixpath.splitext(root)[1] in {".yaml", ".yml", ".json"}:
        root, pattern = posixpath.split(root)
    return Target(Tree("folder", root, trusted=trusted), normal_path(pattern) or DEFAULT_PATTERN, f"file:{root}/")


def _hosted_target(url: str, *, trusted: bool) -> Target | None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return None
    markers = (*_HOST_MARKERS, "/src/") if parts.hostname == "bitbucket.org" else _HOST_MARKERS
    for marker in markers:
        before, found, after = parts.path.partition(marker)
        if found and before.strip("/"):
            branch, _, path = after.partition("/")
            if not branch:
                return None
            remote = f"{parts.scheme}://{parts.netloc}{before}"
            shown = marker.replace("/tree/", "/blob/").replace("/raw/", "/blob/").replace("/edit/", "/blob/")
            pattern = normal_path(unquote(path)) or DEFAULT_PATTERN
            return Target(Tree("git", remote, unquote(branch), trusted), pattern, f"url:{remote}{shown}{branch}/")
    return None


def quoted(path: str) -> str:
    """Return a path as it stands in a url."""
    return quote(path, safe="/@:~!$&'()*+,;=")
