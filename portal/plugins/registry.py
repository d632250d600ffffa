"""Registers what ships with Portal beside what installed distributions add, by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Generic, TypeVar, cast

from portal.errors import PluginError

Extension = TypeVar("Extension")

#: The entry-point groups that Portal looks at, with what an object of each is.
GROUPS: Mapping[str, str] = {
    "portal.kinds": "a portal.model.kind.Kind",
    "portal.actions": "a portal.actions.contract.Action",
    "portal.filters": "a TemplateFilter, TemplateFunction or TemplateValue of portal.scaffolder.extensions",
    "portal.policies": "a portal.graph.policies.Rule, or below access/ a portal.services.permission.PermissionPolicy",
}
#: The distribution of what ships with Portal.
OWN_DISTRIBUTION = "portal"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """An extension that is installed and cannot be used, with the reason."""

    name: str
    distribution: str
    reason: str


class Registry(Generic[Extension]):
    """The extensions of one group by name. Two of one name stop the start; one that fails to load is listed."""

    def __init__(
        self,
        group: str,
        *,
        defaults: Mapping[str, Extension],
        kind: type[Extension],
        points: Collection[EntryPoint] | None = None,
    ) -> None:
        self.group = group
        self.unavailable: list[Unavailable] = []
        self._found: dict[str, Extension] = dict(defaults)
        self._origins = origins = dict.fromkeys(defaults, OWN_DISTRIBUTION)
        for point in sorted(
            installed().select(group=group) if points is None else points, key=lambda found: found.name
        ):
            distribution = point.dist.name if point.dist is not None else "an unknown distribution"
            if point.name in origins:
                raise PluginError(
                    f'"{point.name}" in {group} comes from both {origins[point.name]} and {distribution}; '
                    "remove one of the two distributions"
                )
            origins[point.name] = distribution
            try:
                loaded = point.load()
            except Exception as error:  # noqa: BLE001  # whatever a foreign module raises, Portal starts and tells
                self.unavailable.append(Unavailable(point.name, distribution, f"{type(error).__name__}: {error}"))
                continue
            if not isinstance(loaded, kind):
                reason = f"expected {GROUPS.get(group, kind.__name__)}, found {type(loaded).__name__}"
                self.unavailable.append(Unavailable(point.name, distribution, reason))
                continue
            self._found[point.name] = loaded

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._found))

    def __getitem__(self, name: str) -> Extension:
        return self._found[name]

    def values(self) -> list[Extension]:
        """Return the extensions, by name."""
        return [self._found[name] for name in self]

    def distribution(self, name: str) -> str:
        """Return the name of the distribution that an extension comes from."""
        return self._origins[name]

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """List extensions that their users cannot take, by name, each with the reason."""
        for name, reason in reasons.items():
            del self._found[name]
            self.unavailable.append(Unavailable(name, self._origins[name], reason))

    def items(self) -> list[tuple[str, Extension]]:
        """Return the extensions with their names."""
        return [(name, self._found[name]) for name in self]


@cache
def installed() -> EntryPoints:
    """Return all that is installed, which does not change while a process runs: each look reads a folder of files."""
    return cast("EntryPoints", entry_points())
