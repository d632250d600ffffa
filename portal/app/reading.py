"""Wires what reads sources: a server answers before it needs any of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from portal.config import Settings
from portal.defaults.action_ids import action_ids
from portal.ingest.yaml import YamlLimits
from portal.model.reading import ReadingRules
from portal.model.rules import CatalogRules
from portal.providers.folder import FolderProvider
from portal.providers.git import GitProvider
from portal.services.kinds import KindsService
from portal.services.measures import RefreshMeasures
from portal.services.refresh import RefreshService
from portal.services.sources import SourcesService
from portal.services.template_advice import TemplateAdvice
from portal.store.database import Database
from portal.vcs.mirror import Mirrors

if TYPE_CHECKING:
    from portal.providers.contract import TreeProvider
    from portal.providers.web import WebProvider
    from portal.scaffolder.engine import Engine


@dataclass(frozen=True, slots=True)
class ReadingServices:
    """What reads sources."""

    providers: Mapping[str, TreeProvider]
    refresh: RefreshService
    _web: _OnDemand

    def close(self) -> None:
        """Close the connections to web servers."""
        self._web.close()


class _OnDemand:
    """The provider of web files, made when a location first needs it: its client takes long to import."""

    def __init__(self, rules: ReadingRules, size_limit_bytes: int) -> None:
        self._rules = rules
        self._size_limit_bytes = size_limit_bytes

    @cached_property
    def provider(self) -> WebProvider:
        """The provider itself."""
        from portal.providers.web import WebProvider  # noqa: PLC0415

        return WebProvider(self._rules, size_limit_bytes=self._size_limit_bytes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)

    def close(self) -> None:
        """Close the client, if there is one."""
        if "provider" in self.__dict__:
            self.provider.close()


def wire_reading(
    settings: Settings,
    database: Database,
    *,
    sources: SourcesService,
    kinds: KindsService,
    rules: ReadingRules,
    mirrors: Mirrors,
    measures: RefreshMeasures,
) -> ReadingServices:
    """Return what reads sources as the settings describe it."""
    web = _OnDemand(rules, settings.file_size_bytes)
    providers: dict[str, TreeProvider] = {
        "git": GitProvider(mirrors),
        "folder": FolderProvider(),
        "web": cast("TreeProvider", web),
    }
    refresh = RefreshService(
        database,
        sources,
        providers=providers,
        kinds=kinds,
        limits=YamlLimits(size_bytes=settings.file_size_bytes, depth=settings.yaml_depth),
        rules=rules,
        catalog_rules=CatalogRules(
            settings.catalog_rules, is_guarded=not (settings.guests and settings.guests_may_everything)
        ),
        keeps_orphans=settings.orphan_strategy == "keep",
        advice=TemplateAdvice(actions=action_ids(), open_engine=_open_parser),
        measures=measures,
    )
    return ReadingServices(providers, refresh, web)


def _open_parser() -> Engine:
    """Return an engine that parses a batch of templates, and renders nothing: it knows no filters."""
    from portal.defaults.engine import build_engine  # noqa: PLC0415  # most refreshes meet no template
    from portal.scaffolder.engine import EngineLimits  # noqa: PLC0415  # as above

    return build_engine({}, limits=EngineLimits(memory_bytes=64 * 1024 * 1024, time_seconds=2.0, contexts=1))
