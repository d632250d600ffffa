"""Tells of assets in which folder of which git tree they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal.errors import InputError
from portal.ingest.annotate import Annotator
from portal.model.entity import SOURCE_ANNOTATION
from portal.model.hosted import repository_name
from portal.model.integration import Integrations
from portal.model.location import DEFAULT_PATTERN, GENERATED_PREFIX, Tree, parse_location, parse_target
from portal.model.sentence import Sentence

_NO_HISTORY = {
    "folder": Sentence("its source is a folder, which has no history"),
    "web": Sentence("its source is a single file of a web server, which has no history"),
}
_FILE_MARKS = ("/blob/", "/raw/", "/src/branch/")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an asset is: its `folder` ("" is the root) in a git tree at a commit, and the path of its catalog file.

    `is_elsewhere` says that the folder is another than that of the catalog file.
    """

    tree: Tree
    commit: str
    path: str
    folder: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether the asset is in another folder than its catalog file."""
        return self.folder != self.path.rpartition("/")[0]


class Places:
    """Finds the places of assets from their files' locations, with the commits that their sources stand at."""

    def __init__(self, integrations: Integrations) -> None:
        self._integrations = integrations
        self._annotator = Annotator(integrations)

    def of(self, location: str, source_location: str, commits: Mapping[Tree, str]) -> Place | str:
        """Return where an asset is, or why that has no history.

        Its folder is that of its catalog file, or what its annotation `backstage.io/source-location` names where that
        is of the same repository. `commits` are those of the trees of its source.
        """
        if location.startswith(GENERATED_PREFIX):
            return Sentence("it stands for a location, and is in no file")
        try:
            kind, text = parse_location(location)
            target = parse_target(kind, text, integrations=self._integrations)
        except InputError as error:
            return error.message
        if target.tree.type != "git":
            return _NO_HISTORY[target.tree.type]
        known = {(tree.root, tree.branch): tree for tree in commits if tree.type == "git" and commits[tree]}
        for candidate in (target, *target.longer_branches()):
            tree = known.get((candidate.tree.root, candidate.tree.branch))
            if tree is not None:
                path = candidate.path_of(location) or candidate.pattern
                folder = path.rpartition("/")[0]
                if source_location and source_location != self._given(location):
                    named = self._named(source_location, tree)
                    folder = folder if named is None else named
                return Place(tree, commits[tree], path, folder)
        return Sentence("the last refresh of its source could not read everything, so that its commit is not known")

    def _given(self, location: str) -> str:
        return self._annotator.annotations(location, origin="").get(SOURCE_ANNOTATION, "")

    def _named(self, source_location: str, tree: Tree) -> str | None:
        """Return the folder that an annotation names, None where it is of another repository, or of none."""
        try:
            kind, text = parse_location(source_location)
            target = parse_target(kind, text, integrations=self._integrations)
        except InputError:
            return None
        if target.tree.type != "git" or repository_name(target.tree.root) != repository_name(tree.root):
            return None
        # A branch may hold "/": what is left of it does not belong to the path.
        path = target.pattern
        branch = target.tree.branch
        if tree.branch.startswith(f"{branch}/"):
            path = f"{branch}/{path}".removeprefix(f"{tree.branch}/")
        if path in {DEFAULT_PATTERN, tree.branch}:
            return ""
        is_file = not text.endswith("/") and any(mark in text for mark in _FILE_MARKS)
        return path.rpartition("/")[0] if is_file else path
