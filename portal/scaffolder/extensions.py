"""Describes what templates can use beside the template language itself, for those who write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class TemplateExtension:
    """Something that templates can use; its name is that of its entry point in `portal.filters`."""

    description: str


@dataclass(frozen=True, slots=True)
class TemplateFilter(TemplateExtension):
    """A filter: `function` is given the value before the bar, then the arguments; see `Engine`.

    `schema` has the JSON Schemas `input`, `arguments` (a list), `output`; an example `description`, `example`, `notes`.
    """

    function: Callable[..., Any]
    schema: Mapping[str, Any] = field(default_factory=dict)
    examples: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class TemplateFunction(TemplateExtension):
    """A function that every expression can call, as `TemplateFilter` but without `input`."""

    function: Callable[..., Any]
    schema: Mapping[str, Any] = field(default_factory=dict)
    examples: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class TemplateValue(TemplateExtension):
    """A JSON value that every expression can use; names of the expression itself go before it."""

    value: Any


@dataclass(frozen=True, slots=True)
class TemplateExtensions:
    """What templates can use beside what ships with Portal, by kind and name."""

    filters: Mapping[str, TemplateFilter] = field(default_factory=dict)
    functions: Mapping[str, TemplateFunction] = field(default_factory=dict)
    values: Mapping[str, TemplateValue] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Mapping[str, TemplateExtension]) -> TemplateExtensions:
        """Return extensions by their kind."""
        return cls(
            {name: item for name, item in found.items() if isinstance(item, TemplateFilter)},
            {name: item for name, item in found.items() if isinstance(item, TemplateFunction)},
            {name: item for name, item in found.items() if isinstance(item, TemplateValue)},
        )


#: Nothing.
NO_EXTENSIONS = TemplateExtensions()

_TEXT = {"type": "string"}
_REPOSITORY = {"type": "string", "description": "A repository as a RepoUrlPicker gives it"}


def _object(required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict.fromkeys((*required, *optional), _TEXT),
        "required": list(required),
    }


#: The filters of `portal.scaffolder.filters`.
FILTERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "parseRepoUrl": {
            "description": "Takes the text of a RepoUrlPicker apart.",
            "schema": {
                "input": _REPOSITORY,
                "output": _object(["host"], ["owner", "repo", "organization", "workspace", "project"]),
            },
            "examples": [
                {
                    "description": "The owner of the repository",
                    "example": "owner: ${{ (parameters.repoUrl | parseRepoUrl).owner }}",
                    "notes": "`github.com?owner=team&repo=name` gives `team`.",
                }
            ],
        },
        "parseEntityRef": {
            "description": "Takes the reference of an entity apart.",
            "schema": {
                "input": {"type": ["string", "object"], "description": "A reference, or kind, namespace, name of one"},
                "arguments": [
                    {
                        **_object([], ["defaultKind", "defaultNamespace"]),
                        "description": "What the reference may leave out; the namespace is `default` without it",
                    }
                ],
                "output": _object(["kind", "namespace", "name"]),
            },
            "examples": [
                {
                    "description": "The name of a group",
                    "example": 'team: ${{ (parameters.owner | parseEntityRef({"defaultKind": "group"})).name }}',
                    "notes": "`team-a` and `group:default/team-a` both give `team-a`.",
                }
            ],
        },
        "pick": {
            "description": "Gives a member of an object.",
            "schema": {
                "input": {"type": ["object", "array"]},
                "arguments": [{"type": ["string", "number"], "description": "A path such as `a.b` or `a[0]`"}],
                "output": {},
            },
            "examples": [
                {
                    "description": "A part of a repository",
                    "example": "repo: ${{ parameters.repoUrl | parseRepoUrl | pick('repo') }}",
                }
            ],
        },
        "projectSlug": {
            "description": "Gives owner and name of a repository with a slash between.",
            "schema": {"input": _REPOSITORY, "output": _TEXT},
            "examples": [
                {
                    "description": "For a badge",
                    "example": "slug: ${{ parameters.repoUrl | projectSlug }}",
                    "notes": "`github.com?owner=team&repo=name` gives `team/name`.",
                }
            ],
        },
    }
)
_YES_OR_NO = {"schema": {"arguments": [], "output": {"type": "boolean"}}}
#: The functions of a step's `if`.
FUNCTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "always": {
            "description": "True: a step whose `if` calls it runs although a step before has failed.",
            **_YES_OR_NO,
            "examples": [{"description": "Clean up in any case", "example": "if: ${{ always() }}"}],
        },
        "failure": {
            "description": "Whether a step before has failed; a step whose `if` calls it runs then.",
            **_YES_OR_NO,
            "examples": [{"description": "Tell of a failure", "example": "if: ${{ failure() }}"}],
        },
    }
)


def templating_extensions(added: TemplateExtensions = NO_EXTENSIONS) -> dict[str, Any]:
    """Return filters, functions, values as clients read them. Rule: scaffolder-backend 4.2."""
    return {
        "filters": dict(FILTERS) | dict(_described(added.filters)),
        "globals": {
            "functions": dict(FUNCTIONS) | dict(_described(added.functions)),
            "values": {
                name: {"description": item.description, "value": item.value} for name, item in added.values.items()
            },
        },
    }


def _described(
    added: Mapping[str, TemplateFilter] | Mapping[str, TemplateFunction],
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, item in added.items():
        shown: dict[str, Any] = {"description": item.description}
        if item.schema:
            shown["schema"] = dict(item.schema)
        if item.examples:
            shown["examples"] = [dict(example) for example in item.examples]
        yield name, shown
