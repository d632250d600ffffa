"""Reads what decides on permissions: roles, groups that others act for, access rules, layers as conditions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from portal.errors import InputError
from portal.model.access_rule import AccessRule, access_rule_of
from portal.model.layer import Layer, layer_of
from portal.model.permission import CATALOG_ENTITY, Condition, Criteria
from portal.model.permission_rules import IS_IN_LAYER
from portal.model.ref import EntityRef
from portal.services.kinds import KindsService
from portal.store import graph, sources
from portal.store.database import Connection, Database


@dataclass(slots=True)
class _Frame:
    """What permissions read of one revision of the catalog; `systems` maps Systems and Domains to their layer."""

    revision: int
    rules: Sequence[AccessRule]
    layers: Mapping[EntityRef, Layer]
    criteria: dict[EntityRef, Criteria] = field(default_factory=dict)
    systems: Mapping[EntityRef, EntityRef | None] | None = None


class AccessFacts:
    """Answers what decides on permissions; what is the same for all who ask is read once for each revision."""

    def __init__(self, database: Database, kinds: KindsService) -> None:
        self._database = database
        self._kinds = kinds
        self._known: _Frame | None = None

    def roles_of(self, claims: Collection[EntityRef]) -> list[EntityRef]:
        """Return the roles that some users and groups hold directly, sorted."""
        return self._targets(claims, "hasRole")

    def acts_for(self, claims: Collection[EntityRef]) -> list[EntityRef]:
        """Return the groups that some groups say they act for, sorted."""
        return self._targets({ref for ref in claims if ref.kind == "group"}, "actsFor")

    def access_rules(self) -> Sequence[AccessRule]:
        """Return the access rules that Policy documents declare, by reference of the policy."""
        return self._frame().rules

    def layers(self) -> Mapping[EntityRef, Layer]:
        """Return the layers there are."""
        return self._frame().layers

    def criteria_of(self, layers: Collection[EntityRef]) -> Mapping[EntityRef, Criteria]:
        """Return the criteria that just the entities of each layer meet."""
        frame = self._frame()
        missing = {layer for layer in layers if layer not in frame.criteria}
        if missing:
            with self._database.reading() as connection:
                systems = frame.systems if frame.systems is not None else self._systems(connection)
                defaults = self._kinds.seen_by(connection).default_layers
            frame.systems = systems
            for layer in missing:
                frame.criteria[layer] = _criteria(layer, systems, defaults)
        return {layer: frame.criteria[layer] for layer in layers}

    def _targets(self, refs: Collection[EntityRef], relation: str) -> list[EntityRef]:
        with self._database.reading() as connection:
            return sorted({found.target for found in graph.relations_from(connection, refs, types=(relation,))})

    def _frame(self) -> _Frame:
        known = self._known
        # Each request asks, mostly of what is known: a transaction would take longer than all else here.
        if known is not None and known.revision == self._database.lookup.revision():
            return known
        with self._database.reading() as connection:
            revision = sources.current_revision(connection)
            documents = graph.declared_of_kinds(connection, ("layer", "policy"))
        rules = []
        for ref, declared in sorted(documents.items()):
            if ref.kind != "policy":
                continue
            try:
                rule = access_rule_of(declared, ref)
            except InputError:
                # Ingest refuses such a document; a catalog that another release filled may still hold one.
                continue
            rules += [rule] if rule is not None else []
        layers = {ref: layer_of(declared, ref) for ref, declared in documents.items() if ref.kind == "layer"}
        self._known = _Frame(revision, rules, layers)
        return self._known

    def _systems(self, connection: Connection) -> Mapping[EntityRef, EntityRef | None]:
        refs = graph.declared_of_kinds(connection, ("domain", "system"))
        found = graph.nodes(connection, refs=refs, default_layers={})
        return {ref: node.layer for ref, node in found.items()}


def _criteria(layer: EntityRef, systems: Mapping[EntityRef, EntityRef | None], defaults: Mapping[str, str]) -> Criteria:
    standing = [str(ref) for ref, found in systems.items() if found == layer]
    others = [str(ref) for ref, found in systems.items() if found not in {None, layer}]
    kinds = [kind for kind, name in defaults.items() if EntityRef.of("layer", "default", name) == layer]
    params = {"layers": [str(layer)], "systems": standing, "otherSystems": others, "kinds": kinds}
    return Condition(IS_IN_LAYER.name, CATALOG_ENTITY, params)
