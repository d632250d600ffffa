"""Renders the files of a template folder as the action fetch:template does.

Pure: the action reads the folder and writes the result. Rules: scaffolder-backend 4.2 `createTemplateActionHandler`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from portal.errors import InputError, NotAllowedError, PortalError, TemplateError
from portal.scaffolder.binary import is_binary
from portal.scaffolder.engine import Engine, TextSource
from portal.scaffolder.glob import select

_MAX_LINK_HOPS = 40
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SkeletonEntry:
    """A file, directory or symbolic link.

    `path` is relative to the template's or the target folder, `/`-separated, without a trailing slash. `mode` holds
    the permission bits of a file, `content` its bytes, `target` the text of a link.
    """

    path: str
    kind: Literal["file", "directory", "symlink"] = "file"
    mode: int = 0o644
    content: bytes = b""
    target: str = ""


@dataclass(frozen=True, slots=True)
class SkeletonOptions:
    """The input of fetch:template that decides what becomes of an entry.

    `copy_without_templating` is None where the input does not have it. `template_file_extension` is True for `.njk`.
    """

    values: Mapping[str, Any]
    copy_without_templating: Sequence[str] | None = None
    template_file_extension: str | bool = False
    cookiecutter_compat: bool = False
    trim_blocks: bool = False
    lstrip_blocks: bool = False
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What to write, in this order, then the fault to raise if there is one.

    A fault stops the work at its entry; what comes before it is written all the same, as Backstage does. `kept` are
    the paths of files that the target has already.
    """

    entries: tuple[SkeletonEntry, ...]
    kept: tuple[str, ...] = ()
    fault: PortalError | None = None


def render_skeleton(
    entries: Sequence[SkeletonEntry], options: SkeletonOptions, *, engine: Engine, existing: Collection[str] = ()
) -> Skeleton:
    """Return what the entries of a template folder become in the target folder.

    `existing` are the paths that the target folder has. Names are rendered, bodies of text files too unless the
    options say otherwise; binary files and links are copied. An entry whose name renders to an empty segment is left
    out, as is a link that leads out of the template folder. Raises `InputError` for options that exclude each other.
    The `fault` is a `TemplateError`, or `NotAllowedError` for a name or link that leaves the target folder.
    """
    extension = _extension(options)
    ordered = sorted(inside_links(entries), key=lambda entry: entry.path)
    plan = _plan(ordered, options, engine=engine, extension=extension, existing=existing)
    with_body = {entry.path for entry in files_to_render(ordered, options)}
    bodies = {
        index: TextSource(source.path, text_of(source))
        for index, (source, _) in enumerate(plan.placed)
        if source.path in with_body
    }
    rendered = dict(zip(bodies, _attempt(engine, list(bodies.values()), options), strict=True))
    result: list[SkeletonEntry] = []
    for index, (_, placed) in enumerate(plan.placed):
        body = rendered.get(index)
        if isinstance(body, TemplateError):
            return Skeleton(tuple(result), plan.kept, body)
        result.append(placed if body is None else replace(placed, content=encode_text(body)))
    return Skeleton(tuple(result), plan.kept, plan.fault)


def files_to_render(entries: Sequence[SkeletonEntry], options: SkeletonOptions) -> list[SkeletonEntry]:
    """Return the files whose bodies are rendered; all names are. Raises `InputError` as `render_skeleton` does."""
    extension = _extension(options)
    directories = {entry.path for entry in entries if entry.kind == "directory"}
    files = [entry.path for entry in entries if entry.kind != "directory"]
    verbatim = select(options.copy_without_templating or (), files, directories=directories)
    return [
        entry
        for entry in entries
        if entry.kind == "file"
        and entry.path not in verbatim
        and (not extension or _has_extension(entry, extension))
        and not is_binary(entry.content)
    ]


def text_of(entry: SkeletonEntry) -> str:
    """Return the text of a file as it is rendered."""
    return entry.content.decode("utf-8", "replace")


def render_file(content: bytes, options: SkeletonOptions, *, engine: Engine, name: str) -> bytes:
    """Return the rendered bytes of the one file that fetch:template:file reads; always taken for UTF-8 text.

    `name` is how a `TemplateError` names it. The mode of the file is not kept, says Backstage.
    """
    body = _attempt(engine, [TextSource(name, content.decode("utf-8", "replace"))], options)[0]
    if isinstance(body, TemplateError):
        raise body
    return encode_text(body)


def resolve_inside(path: str, *, base: str = "") -> str:
    """Return `path`, taken from the folder `base`, in its normal form; `""` is the outermost folder itself.

    Raises `NotAllowedError` when it leaves the outermost folder, is absolute, or holds a NUL.
    """
    normal = posixpath.normpath(posixpath.join(base or ".", path or "."))
    if "\0" in path or normal.startswith("/") or normal.split("/", 1)[0] == "..":
        raise NotAllowedError(f'found path "{path}"; expected one that stays in its folder')
    return "" if normal == "." else normal


def inside_links(entries: Sequence[SkeletonEntry]) -> list[SkeletonEntry]:
    """Return the entries without the links that lead out of their folder, through other links or not."""
    links = {entry.path: entry.target for entry in entries if entry.kind == "symlink"}
    return [entry for entry in entries if entry.kind != "symlink" or _stays_inside(entry.path, links)]


def encode_text(text: str) -> bytes:
    """Return UTF-8, with U+FFFD for half of a surrogate pair, which a template can cut off."""
    return _LONE_SURROGATE.sub("\ufffd", text).encode()


@dataclass(frozen=True, slots=True)
class _Plan:
    """Each entry to write beside the one it comes from."""

    placed: list[tuple[SkeletonEntry, SkeletonEntry]]
    kept: tuple[str, ...]
    fault: PortalError | None


def _extension(options: SkeletonOptions) -> str:
    given = options.template_file_extension
    if not given:
        return ""
    for name, value in (
        ("copyWithoutTemplating", options.copy_without_templating is not None),
        ("cookiecutterCompat", options.cookiecutter_compat),
    ):
        if value:
            raise InputError(f"templateFileExtension is given together with {name}; give one of the two")
    extension = ".njk" if given is True else given
    return extension if extension.startswith(".") else f".{extension}"


def _has_extension(entry: SkeletonEntry, extension: str) -> bool:
    return entry.kind == "file" and posixpath.splitext(entry.path)[1] == extension


def _plan(
    entries: Sequence[SkeletonEntry],
    options: SkeletonOptions,
    *,
    engine: Engine,
    extension: str,
    existing: Collection[str],
) -> _Plan:
    """Render the names; stop at the first with a fault."""
    sources = [TextSource(f"name of {entry.path}", _name_template(entry, extension)) for entry in entries]
    placed: list[tuple[SkeletonEntry, SkeletonEntry]] = []
    kept: list[str] = []
    taken = set(existing)
    for entry, name in zip(entries, _attempt(engine, sources, options), strict=True):
        if not isinstance(name, TemplateError) and _has_empty_segment(name, entry):
            continue
        try:
            path = _place(entry, name)
        except PortalError as fault:
            return _Plan(placed, tuple(kept), fault)
        if path in taken and not options.replace:
            if entry.kind != "directory":
                kept.append(path)
        elif path:
            taken.update((path, *_parents(path)))
            placed.append((entry, replace(entry, path=path)))
    return _Plan(placed, tuple(kept), None)


def _place(entry: SkeletonEntry, name: str | TemplateError) -> str:
    """Return the path that `name` means in the target folder; raise its fault, or that it leaves the folder."""
    if isinstance(name, TemplateError):
        raise name
    try:
        path = resolve_inside(_LONE_SURROGATE.sub("\ufffd", name))
        if entry.kind == "symlink":
            resolve_inside(entry.target, base=posixpath.dirname(path))
    except NotAllowedError as error:
        raise NotAllowedError(f'{entry.path}: its name is rendered as "{name}": {error.message}') from error
    return path


def _name_template(entry: SkeletonEntry, extension: str) -> str:
    if entry.kind == "directory":
        return f"{entry.path}/"  # so that a name that renders to nothing gives an empty segment
    return entry.path.removesuffix(extension) if extension and _has_extension(entry, extension) else entry.path


def _has_empty_segment(name: str, entry: SkeletonEntry) -> bool:
    return not name or name.startswith("/") or "//" in name or (entry.kind != "directory" and name.endswith("/"))


def _attempt(engine: Engine, sources: Sequence[TextSource], options: SkeletonOptions) -> list[str | TemplateError]:
    root = "cookiecutter" if options.cookiecutter_compat else "values"
    return engine.attempt_texts(
        sources,
        {root: options.values},
        cookiecutter_compat=options.cookiecutter_compat,
        trim_blocks=options.trim_blocks,
        lstrip_blocks=options.lstrip_blocks,
    )


def _parents(path: str) -> list[str]:
    segments = path.split("/")
    return ["/".join(segments[:end]) for end in range(1, len(segments))]


def _stays_inside(path: str, links: Mapping[str, str]) -> bool:
    waiting = path.split("/")[::-1]
    reached: list[str] = []
    hops = 0
    while waiting:
        segment = waiting.pop()
        if segment in {"", "."}:
            continue
        if segment == "..":
            if not reached:
                return False
            reached.pop()
            continue
        reached.append(segment)
        target = links.get("/".join(reached))
        if target is not None:
            hops += 1
            if target.startswith("/") or hops > _MAX_LINK_HOPS:
                return False
            reached.pop()
            waiting.extend(target.split("/")[::-1])
    return True
