"""Finds where the files beside a template do not fit the steps that read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from portal.actions.workspace import read_folder
from portal.errors import InputError
from portal.model.location import is_absolute_target
from portal.scaffolder.engine import Engine
from portal.scaffolder.skeleton import SkeletonEntry, SkeletonOptions, files_to_render, inside_links, text_of
from portal.scaffolder.step_rules import Found, meant
from portal.scaffolder.steps import Step, is_rendered
from portal.scaffolder.syntax import Place, syntax_of
from portal.services.template_draft import Draft, Skeleton, SkeletonText

_RENDERING = frozenset({"fetch:template", "fetch:template:file"})
_READING = _RENDERING | {"fetch:plain", "fetch:plain:file", "fetch:cookiecutter", "fetch:copier"}
#: What the engine knows without being given it, in the names and bodies of files.
_FUNCTIONS = frozenset({"range", "cycler", "joiner", "undefined", "True", "False", "None"})
_LARGEST_BYTES = 1024 * 1024


def read_skeletons(steps: Sequence[Step], folder: Path, *, engine: Engine) -> list[Skeleton]:
    """Return what steps read from beside the template, where their url says so without an expression.

    What lies outside of the template's repository, or folder where it is in none, is not there for a run either.
    """
    found = []
    home = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)
    for step in steps:
        url = step.input.get("url")
        if step.action_id not in _READING or not isinstance(url, str) or is_absolute_target(url) or is_rendered(url):
            continue
        is_compatible = step.input.get("cookiecutterCompat") is True
        place = (folder / url).resolve()
        is_there = place.exists() and place.is_relative_to(home)
        texts = _texts(step, place, engine, is_compatible=is_compatible) if is_there else None
        found.append(Skeleton(step, "cookiecutter" if is_compatible else "values", texts))
    return found


def missing_skeletons(draft: Draft) -> Iterator[Found]:
    """Yield folders and files that steps read and that are not there."""
    for skeleton in draft.skeletons:
        if skeleton.texts is None:
            step = skeleton.step
            yield Found((*step.path, "input", "url"), f"{step.input['url']} of {step.action_id}")


def invalid_skeletons(draft: Draft) -> Iterator[Found]:
    """Yield names and bodies that cannot be parsed: the step fails there."""
    for skeleton, text in _all_texts(draft):
        if text.fault is not None:
            message, place = text.fault
            yield _found(skeleton, text, text.file.name, message, place)


def undefined_values(draft: Draft) -> Iterator[Found]:
    """Yield values that files use and their step does not give: they render to nothing."""
    for skeleton, text in _all_texts(draft):
        if text.syntax is None:
            continue
        names = _given(skeleton.step)
        asked = {use.path[:2] for use in text.syntax.uses if use.is_guarded}
        for use in text.syntax.uses:
            root, *members = use.path
            # A folder that several templates share asks for what some of them give, and renders parts accordingly.
            if root in _FUNCTIONS or use.is_guarded or use.is_conditional or use.path[:2] in asked:
                continue
            if root != skeleton.root:
                # Names of other engines are common in files, and mean nothing here.
                hint = f"Files are given {skeleton.root} alone"
                yield _found(skeleton, text, root, hint, use.place)
            elif members and names is not None and members[0] not in names:
                hint = meant(members[0], names) or f"Give it below values of {skeleton.step.id}"
                yield _found(skeleton, text, ".".join(use.path[:2]), hint, use.place)


def unused_values(draft: Draft) -> Iterator[Found]:
    """Yield values that a step gives and no file uses, whichever step renders it."""
    rendering = [skeleton for skeleton in draft.skeletons if skeleton.step.action_id in _RENDERING]
    if len(rendering) != sum(step.action_id in _RENDERING for step in draft.steps):
        return
    used: set[str] = set()
    for skeleton in rendering:
        for text in skeleton.texts or ():
            if text.syntax is None or any(use.path == (skeleton.root,) for use in text.syntax.uses):
                return
            used |= {use.path[1] for use in text.syntax.uses if use.path[0] == skeleton.root}
    for skeleton in rendering:
        if skeleton.texts is not None:
            for name in sorted((_given(skeleton.step) or set()) - used):
                yield Found((*skeleton.step.path, "input", "values", name), name)


def _all_texts(draft: Draft) -> Iterator[tuple[Skeleton, SkeletonText]]:
    for skeleton in draft.skeletons:
        for text in skeleton.texts or ():
            yield skeleton, text


def _found(skeleton: Skeleton, text: SkeletonText, found: str, hint: str, place: Place) -> Found:
    """Return what is found in a file; what is found in its name is told at its beginning."""
    return Found(skeleton.step.path, found, hint, None if text.is_name else place, file=str(text.file.resolve()))


def _given(step: Step) -> set[str] | None:
    """Return the names of the values that a step gives, None where only a run can tell."""
    values = step.input.get("values", {})
    return set(map(str, values)) if isinstance(values, Mapping) else None


def _texts(step: Step, place: Path, engine: Engine, *, is_compatible: bool) -> list[SkeletonText]:
    if step.action_id not in _RENDERING:
        return []
    if place.is_file():
        sources = [(place, False, place.read_text("utf-8", "replace"))]
    else:
        entries = [entry for entry in inside_links(read_folder(place)) if len(entry.content) <= _LARGEST_BYTES]
        bodies = _bodies(step, entries, is_compatible=is_compatible)
        sources = [(place / entry.path, True, entry.path.rpartition("/")[2]) for entry in entries]
        sources += [(place / entry.path, False, text_of(entry)) for entry in bodies]
    sources = [source for source in sources if is_rendered(source[2]) or (is_compatible and "{{" in source[2])]
    outcomes = engine.parse_texts([text for _, _, text in sources], cookiecutter_compat=is_compatible)
    return [
        _text(file, outcome, is_name=is_name) for (file, is_name, _), outcome in zip(sources, outcomes, strict=True)
    ]


def _bodies(step: Step, entries: Sequence[SkeletonEntry], *, is_compatible: bool) -> Sequence[SkeletonEntry]:
    """Return the files whose bodies are rendered; those of a step whose options only a run can tell are left out."""
    patterns = step.input.get("copyWithoutTemplating")
    extension = step.input.get("templateFileExtension", False)
    options = SkeletonOptions(
        {}, copy_without_templating=patterns, template_file_extension=extension, cookiecutter_compat=is_compatible
    )
    try:
        return files_to_render(entries, options) if _is_plain(patterns) and _is_plain(extension) else []
    except (InputError, TypeError, AttributeError):
        # Options that the action refuses: another rule tells of them.
        return []


def _is_plain(option: Any) -> bool:
    texts = option if isinstance(option, list) else [option]
    return not any(isinstance(text, str) and is_rendered(text) for text in texts)


def _text(file: Path, outcome: Mapping[str, Any], *, is_name: bool) -> SkeletonText:
    error = outcome.get("error")
    if error is not None:
        return SkeletonText(file, is_name, None, (str(error["message"]), Place(error["line"], error["column"])))
    return SkeletonText(file, is_name, syntax_of(outcome["tree"]))
