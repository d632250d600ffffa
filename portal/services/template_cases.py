"""Says whether a template does what the cases beside it expect."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.actions.workspace import Workspace, read_folder
from portal.errors import InputError, PortalError
from portal.ingest.yaml import parse
from portal.model.ref import EntityRef
from portal.model.secret import Secret
from portal.scaffolder.skeleton import SkeletonEntry
from portal.services.dry_run import DryRun, DryRunResult, DryRuns

SNAPSHOT = ".snapshot"
_MEMBERS = frozenset({"values", "secrets", "user", "expect"})
_EXPECTED = frozenset({"files", "contents", "contains", "output", "steps", "error"})
_MOST_LINES = 40


@dataclass(frozen=True, slots=True)
class Case:
    """Values, with what is expected of them.

    `expected` may hold `files` (all paths), `contents` (whole text by path), `contains` (texts by path), `output`,
    `steps` (status by id) and `error` (a part of what is told, for values that are refused or a step that fails).
    """

    path: Path
    values: Mapping[str, Any]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    user: EntityRef | None = None
    expected: Mapping[str, Any] = field(default_factory=dict)

    @property
    def snapshot(self) -> Path:
        """The folder of the files that are expected, where it is there."""
        return self.path.with_suffix(SNAPSHOT)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case: nothing is wrong where there are no `faults`."""

    case: Case
    faults: Sequence[str]
    is_updated: bool = False


def read_template(file: Path) -> dict[str, Any]:
    """Return the one template of a file. Raises `InputError`."""
    found = [value for value in _documents(file) if isinstance(value, dict) and value.get("kind") == "Template"]
    if len(found) != 1:
        raise InputError(f"{file}: found {len(found)} templates; expected one")
    return found[0]


def values_of(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a case, or of a file that holds the values alone."""
    is_case = isinstance(given.get("values"), dict) and given.keys() <= _MEMBERS
    return given["values"] if is_case else given


def read_cases(folder: Path) -> list[Case]:
    """Return the cases in the folder `tests` beside a template. Raises `InputError` for one that is none."""
    return [_case(path) for path in sorted((folder / "tests").glob("*.yaml"))]


def try_case(runs: DryRuns, template: Mapping[str, Any], case: Case, *, file: Path, update: bool = False) -> Verdict:
    """Return what a dry run of a template makes of a case; `file` is the template's own.

    With `update`, what it makes is what the snapshot holds from now on.
    """
    asked = DryRun(template, case.values, secrets=case.secrets, location=f"file:{file.resolve()}", actor_ref=case.user)
    try:
        result = runs.run(asked)
    except PortalError as error:
        return Verdict(case, list(_error_faults(case, error.message)))
    if result.error is not None:
        return Verdict(case, list(_error_faults(case, f"{result.error['name']}: {result.error['message']}")))
    faults = list(_faults(case, result))
    is_updated = update and not faults
    if is_updated:
        _write_snapshot(case.snapshot, result.files)
    elif case.snapshot.is_dir():
        faults += _differences(case.snapshot, result.files)
    return Verdict(case, faults, is_updated)


def _documents(file: Path) -> list[Any]:
    try:
        documents = parse(file.read_bytes(), location=str(file))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    problems = [document.problem for document in documents if document.problem is not None]
    if problems:
        raise InputError("\n".join(map(str, problems)), problems)
    return [document.value for document in documents]


def _case(path: Path) -> Case:
    documents = _documents(path)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise InputError(f"{path}: expected one mapping")
    given = documents[0]
    if not isinstance(given.get("values"), dict):
        # The values alone: the template has to run with them.
        return Case(path, given)
    expected = given.get("expect") or {}
    secrets = given.get("secrets") or {}
    unknown = sorted(map(str, given.keys() - _MEMBERS))
    if not isinstance(expected, dict) or not isinstance(secrets, dict):
        raise InputError(f"{path}: expected mappings as expect and secrets")
    unknown += sorted(f"expect.{name}" for name in expected.keys() - _EXPECTED)
    if unknown:
        known = ", ".join([*sorted(_MEMBERS), *(f"expect.{name}" for name in sorted(_EXPECTED))])
        raise InputError(f"{path}: found {', '.join(unknown)}; expected {known}")
    for name, kind in (("files", list), ("contents", dict), ("contains", dict), ("output", dict), ("steps", dict)):
        if name in expected and not isinstance(expected[name], kind):
            raise InputError(f"{path}: expect.{name} must be a {'list' if kind is list else 'mapping'}")
    user = given.get("user")
    return Case(
        path,
        given["values"],
        {str(name): Secret(str(text)) for name, text in secrets.items()},
        None if user is None else EntityRef.parse(str(user), default_kind="user"),
        expected,
    )


def _error_faults(case: Case, message: str) -> Iterator[str]:
    wanted = case.expected.get("error")
    if wanted is None:
        yield f"it fails: {message}"
    elif str(wanted) not in message:
        yield f"expected an error with: {wanted}\nfound: {message}"


def _faults(case: Case, result: DryRunResult) -> Iterator[str]:
    expected = case.expected
    if "error" in expected:
        yield f"expected an error with: {expected['error']}\nfound that it completes"
    texts = {entry.path: _text(entry) for entry in result.files}
    if "files" in expected:
        wanted = set(map(str, expected["files"]))
        yield from (f"the file {path} is missing" for path in sorted(wanted - texts.keys()))
        yield from (f"the file {path} is not expected" for path in sorted(texts.keys() - wanted))
    yield from _text_faults(expected, texts)
    if "output" in expected and result.output != expected["output"]:
        yield f"output: expected {expected['output']!r}\nfound {dict(result.output)!r}"
    ends = {line.get("stepId"): line["status"] for line in result.log if line.get("status")}
    for step, status in (expected.get("steps") or {}).items():
        if ends.get(step) != status:
            yield f"step {step}: expected {status}, found {ends.get(step, 'no such step')}"


def _text_faults(expected: Mapping[str, Any], texts: Mapping[str, str | None]) -> Iterator[str]:
    for path, text in (expected.get("contents") or {}).items():
        if texts.get(path) is None:
            yield f"{path} is missing, or no text"
        elif texts[path] != text:
            yield _difference(path, str(text), texts[path] or "")
    for path, parts in (expected.get("contains") or {}).items():
        for part in parts if isinstance(parts, list) else [parts]:
            if str(part) not in (texts.get(path) or ""):
                yield f"{path} does not contain: {part}"


def _text(entry: SkeletonEntry) -> str | None:
    if entry.kind == "symlink":
        return entry.target
    try:
        return None if b"\0" in entry.content else entry.content.decode()
    except UnicodeDecodeError:
        return None


def _difference(path: str, expected: str, found: str) -> str:
    lines = list(
        difflib.unified_diff(
            expected.splitlines(), found.splitlines(), f"{path} (expected)", f"{path} (found)", lineterm=""
        )
    )
    more = [f"… {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
    return "\n".join([*(lines or [f"{path} differs in its line ends"])[:_MOST_LINES], *more])


def _differences(snapshot: Path, files: Sequence[SkeletonEntry]) -> Iterator[str]:
    """Yield where files are others than those of a snapshot."""
    kept = {entry.path: entry for entry in read_folder(snapshot) if entry.kind != "directory"}
    made = {entry.path: entry for entry in files}
    for path in sorted(kept.keys() | made.keys()):
        if path not in made:
            yield f"the file {path} of the snapshot is missing"
        elif path not in kept:
            yield f"the file {path} is not in the snapshot"
        elif _what(kept[path]) != _what(made[path]):
            before, after = _text(kept[path]), _text(made[path])
            if before is None or after is None:
                yield f"{path} is another than in the snapshot"
            elif before != after:
                yield _difference(path, before, after)
            else:
                yield f"{path}: whether it is executable differs from the snapshot"


def _what(entry: SkeletonEntry) -> tuple[str, str, bytes, bool]:
    return entry.kind, entry.target, entry.content, bool(entry.mode & 0o100) and entry.kind == "file"


def _write_snapshot(folder: Path, files: Sequence[SkeletonEntry]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    Workspace(folder).write(files)
