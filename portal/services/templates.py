"""Reads what stands beside a template, at the commit that its task began with."""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from portal.actions.contract import Fetched
from portal.actions.workspace import Workspace, read_folder
from portal.errors import ActionError, InputError, NotAllowedError, NotFoundError, PortalError
from portal.model.integration import NO_INTEGRATIONS, Integrations
from portal.model.location import (
    DEFAULT_PATTERN,
    Target,
    is_absolute_target,
    parse_location,
    parse_target,
    relative_target,
)
from portal.model.login import without_credentials
from portal.model.secret import Secret
from portal.model.sentence import Sentence
from portal.scaffolder.skeleton import SkeletonEntry
from portal.services.fetched_memory import FetchedMemory
from portal.services.shared_answers import SharedAnswers
from portal.vcs.lineage import Lineage
from portal.vcs.mirror import Head, Mirrors, Revision, TreeEntry

_SYMLINK, _EXECUTABLE, _SUBMODULE = "120000", "100755", "160000"
_FILE_MODE, _EXECUTABLE_MODE = 0o644, 0o755


class Templates:
    """The sources of templates: branches of git remotes through mirrors, or folders."""

    def __init__(
        self,
        mirrors: Mirrors,
        *,
        size_limit_bytes: int = 64 * 1024 * 1024,
        integrations: Integrations = NO_INTEGRATIONS,
    ) -> None:
        self._mirrors = mirrors
        self._integrations = integrations
        self._size_limit_bytes = size_limit_bytes
        self._memory = FetchedMemory()
        #: Many tasks of one template may begin together; its host is asked once for them.
        self._commits: SharedAnswers[str] = SharedAnswers()

    def commit(self, location: str, *, since: float | None = None) -> str:
        """Return the commit at which a template's source stands; empty for a folder.

        `location` is the template's annotation `backstage.io/managed-by-location`, which the catalog itself writes. One
        at which it stood after `since` (seconds since the epoch), a moment ago, will do.
        Raises `PortalError` when the remote does not answer, or has no such branch.
        """
        target = self._target(location)
        if target.tree.type != "git":
            return ""
        return self._commits.of(target.tree, lambda: self.head(target).commit, since=since)

    def reader(self, location: str, *, commit: str) -> TemplateReader:
        """Return what reads beside the template at `location`, at that commit."""
        target = self._target(location)
        return TemplateReader(self, self._at(target, commit) if commit else target, commit)

    def target(self, url: str) -> Target:
        """Return what a url names. Raises `InputError`."""
        return parse_target("url", url, integrations=self._integrations, allows_login=True)

    def lending(self, target: Target, token: str) -> Templates:
        """Return the same for somebody who has a token for the host of a target. Raises `PortalError`."""
        mirrors = self._mirrors.lending(target.tree.root, Secret(token))
        return Templates(mirrors, size_limit_bytes=self._size_limit_bytes, integrations=self._integrations)

    def head(self, target: Target) -> Head:
        """Return where a target's branch stands now. Raises `PortalError`."""
        return self.located(target)[1]

    def located(self, target: Target) -> tuple[Target, Head]:
        """Return a target as it reads with the remote's branches, whose names may hold `/`, and where its branch is.

        Raises `PortalError`.
        """
        revisions = {item: _revision(item) for item in (target, *target.longer_branches())}
        heads = self._mirrors.heads(set(revisions.values()))
        for item, revision in revisions.items():
            head = heads[revision]
            if isinstance(head, Head):
                return item, head
        fault = heads[_revision(target)]
        raise (
            fault
            if isinstance(fault, PortalError)
            else NotFoundError(Sentence("%(root)s has no such branch", root=without_credentials(target.tree.root)))
        )

    def standing(self, locations: Collection[str]) -> dict[str, tuple[Target, Head] | PortalError]:
        """Return for each template's location what it names and where its branch stands now, or why neither is known.

        Each remote is asked once.
        """
        found: dict[str, tuple[Target, Head] | PortalError] = {}
        wanted: dict[str, list[Target]] = {}
        for location in locations:
            try:
                target = self._target(location)
            except PortalError as error:
                found[location] = error
                continue
            if target.tree.type == "git":
                wanted[location] = [target, *target.longer_branches()]
            else:
                found[location] = InputError(
                    Sentence("%(location)s is no git repository, and so has no commits", location=location)
                )
        heads = self._mirrors.heads({_revision(item) for items in wanted.values() for item in items})
        for location, items in wanted.items():
            there = ((item, head) for item in items if isinstance(head := heads[_revision(item)], Head))
            fault = heads[_revision(items[0])]
            found[location] = next(there, fault if isinstance(fault, PortalError) else NotFoundError(location))
        return found

    def lineages(self, heads: Collection[Head]) -> dict[Head, Lineage | PortalError]:
        """Return the history of each of some commits, one walk for each, or why it cannot be read."""
        found: dict[Head, Lineage | PortalError] = {}
        for head, fault in self._mirrors.fetch(heads).items():
            try:
                found[head] = fault or self._mirrors.lineage(head)
            except PortalError as error:
                found[head] = error
        return found

    def _target(self, location: str) -> Target:
        """Return what a template's own location names.

        A local one was let through when it was read, and only the operator names such. Of any other, nobody says whose
        it is: it must be at an address that everybody may name.
        """
        target = parse_target(*parse_location(location), integrations=self._integrations)
        is_local = target.tree.type == "folder" or urlsplit(target.tree.root).scheme == "file"
        return replace(target, tree=replace(target.tree, trusted=True)) if is_local else target

    def _at(self, target: Target, commit: str) -> Target:
        """Return a target as it reads at a commit, which has its file: its branch may hold `/`."""
        others = target.longer_branches()
        if not others:
            return target
        head = Head(target.tree.root, target.tree.branch or "HEAD", commit, target.tree.trusted)
        fault = self._mirrors.fetch({head})[head]
        if fault is not None:
            raise fault
        files = self._mirrors.tree({head})[head]
        return next((item for item in (target, *others) if item.pattern in files), target)

    def files(self, head: Head, path: str) -> Fetched:
        """Return the folder or file at a path of a commit. Raises `NotFoundError` when there is none."""
        found = self._memory.get(head, path)
        if found is None:
            found = self._read(head, path)
            self._memory.put(head, path, found)
        return found

    def _read(self, head: Head, path: str) -> Fetched:
        fault = self._mirrors.fetch({head})[head]
        if fault is not None:
            raise fault
        tree = self._mirrors.tree({head})[head]
        if path in tree:
            entry = tree[path]
            (found,) = self._entries(head, {posixpath.basename(path): entry})
            return Fetched((found,), is_file=True)
        prefix = f"{path}/" if path else ""
        below = {name.removeprefix(prefix): entry for name, entry in tree.items() if name.startswith(prefix)}
        if not below:
            raise NotFoundError(
                Sentence(
                    '"%(path)s" is not in %(remote)s at %(commit)s',
                    path=path or ".",
                    remote=without_credentials(head.remote),
                    commit=head.commit,
                )
            )
        return Fetched(self._entries(head, below))

    def _entries(self, head: Head, files: dict[str, TreeEntry]) -> list[SkeletonEntry]:
        files = {path: entry for path, entry in files.items() if entry.mode != _SUBMODULE}
        blobs = {entry.blob for entry in files.values()}
        contents = self._mirrors.read(head.remote, blobs, size_limit_bytes=self._size_limit_bytes)
        folders = {
            "/".join(parts[:end]) for path in files for parts in [path.split("/")] for end in range(1, len(parts))
        }
        entries = [SkeletonEntry(folder, kind="directory") for folder in sorted(folders)]
        for path, entry in sorted(files.items()):
            content = contents[entry.blob]
            if isinstance(content, int):
                raise ActionError(
                    Sentence(
                        "%(path)s has %(content)s bytes; a template's file may have %(size_limit_bytes)s",
                        path=path,
                        content=content,
                        size_limit_bytes=self._size_limit_bytes,
                    )
                )
            if entry.mode == _SYMLINK:
                entries.append(SkeletonEntry(path, kind="symlink", target=content.decode("utf-8", "replace")))
            else:
                mode = _EXECUTABLE_MODE if entry.mode == _EXECUTABLE else _FILE_MODE
                entries.append(SkeletonEntry(path, mode=mode, content=content))
        return entries


def _revision(target: Target) -> Revision:
    return Revision(target.tree.root, target.tree.branch or None, target.tree.trusted)


@dataclass(frozen=True, slots=True)
class TemplateReader:
    """Reads urls as one template means them."""

    templates: Templates
    target: Target
    commit: str

    def read(self, url: str, *, token: str | None = None) -> Fetched:
        """Return what a url names; see `portal.actions.contract.Reader`."""
        if is_absolute_target(url):
            return self._absolute(url, token)
        if self.target.tree.type == "folder":
            return self._in_folder(url)
        try:
            wanted = relative_target(self.target, base=self.target.pattern, relative=url)
        except InputError as error:
            raise NotAllowedError(Sentence('"%(url)s" leads out of the template\'s repository', url=url)) from error
        head = self.templates.head(self.target) if not self.commit else self._pinned()
        return self.templates.files(head, wanted.pattern)

    def _pinned(self) -> Head:
        tree = self.target.tree
        return Head(tree.root, tree.branch or "HEAD", self.commit, tree.trusted)

    def _absolute(self, url: str, token: str | None) -> Fetched:
        if urlsplit(url).scheme == "file":
            raise NotAllowedError(
                Sentence('"%(url)s" may not be read; expected a path relative to the template or a git url', url=url)
            )
        base, mark, fragment = url.partition("#")
        has_path = mark and ":" in fragment
        named = self.templates.target(url if has_path or not mark else f"{base}#{fragment}:")
        templates = self.templates.lending(named, token) if token else self.templates
        target, head = templates.located(named)
        # The url of a whole repository or branch names no file, whatever a location would take it for.
        is_whole = target.pattern == DEFAULT_PATTERN and not base.endswith(DEFAULT_PATTERN)
        return templates.files(head, "" if is_whole and not has_path else target.pattern)

    def _in_folder(self, url: str) -> Fetched:
        here = Path(self.target.tree.root) / posixpath.dirname(self.target.pattern)
        place = Workspace(here).resolve(url)
        if place.is_file():
            mode = place.stat().st_mode & 0o777
            return Fetched((SkeletonEntry(place.name, mode=mode, content=place.read_bytes()),), is_file=True)
        if not place.is_dir():
            raise NotFoundError(Sentence('"%(url)s" is not beside the template in %(here)s', url=url, here=here))
        return Fetched(read_folder(place))
