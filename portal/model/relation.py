"""Relations between entities: their types, each with its inverse."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from portal.model.ref import EntityRef


@dataclass(frozen=True, slots=True)
class RelationType:
    """A relation as a field emits it: `forward` on the entity that declares it, `inverse` on the other side."""

    forward: str
    inverse: str

    def inverted(self) -> RelationType:
        """Return the same relation told from the other side."""
        return RelationType(self.inverse, self.forward)


class Relation(NamedTuple):
    """One directed relation; both directions of a declared relation are values of their own."""

    source: EntityRef
    type: str
    target: EntityRef


class DeclaredRelation(NamedTuple):
    """A relation as one entity declares it: the type from it to the target, and the type back."""

    type: str
    inverse: str
    target: str


OWNED_BY = RelationType("ownedBy", "ownerOf")
PART_OF = RelationType("partOf", "hasPart")
HAS_PART = PART_OF.inverted()
PROVIDES_API = RelationType("providesApi", "apiProvidedBy")
CONSUMES_API = RelationType("consumesApi", "apiConsumedBy")
DEPENDS_ON = RelationType("dependsOn", "dependencyOf")
DEPENDENCY_OF = DEPENDS_ON.inverted()
CHILD_OF = RelationType("childOf", "parentOf")
PARENT_OF = CHILD_OF.inverted()
MEMBER_OF = RelationType("memberOf", "hasMember")
HAS_MEMBER = MEMBER_OF.inverted()
STEWARDED_BY = RelationType("stewardedBy", "stewardOf")
CONTRIBUTED_BY = RelationType("contributedBy", "contributesTo")
PRODUCED_BY = RelationType("producedBy", "produces")
PRODUCES = PRODUCED_BY.inverted()
CONSUMED_BY = RelationType("consumedBy", "consumes")
CONSUMES = CONSUMED_BY.inverted()
DERIVED_FROM = RelationType("derivedFrom", "derives")
TRAINED_ON = RelationType("trainedOn", "trains")
IN_LAYER = RelationType("inLayer", "layerHas")
HAS_ROLE = RelationType("hasRole", "roleOf")
GENERATED_FROM = RelationType("generatedFrom", "generated")
ACTS_FOR = RelationType("actsFor", "actedForBy")

RELATION_TYPES: tuple[RelationType, ...] = (
    OWNED_BY,
    PART_OF,
    PROVIDES_API,
    CONSUMES_API,
    DEPENDS_ON,
    CHILD_OF,
    MEMBER_OF,
    STEWARDED_BY,
    CONTRIBUTED_BY,
    PRODUCED_BY,
    CONSUMED_BY,
    DERIVED_FROM,
    TRAINED_ON,
    IN_LAYER,
    HAS_ROLE,
    GENERATED_FROM,
    ACTS_FOR,
)

#: Every relation type's name, to the name of its inverse.
INVERSES = MappingProxyType(
    {pair.forward: pair.inverse for pair in RELATION_TYPES} | {pair.inverse: pair.forward for pair in RELATION_TYPES}
)

#: Relations whose source needs its target: a change of the target reaches the source.
DEPENDENCY_TYPES: tuple[str, ...] = (
    "apiProvidedBy",
    "consumes",
    "consumesApi",
    "dependsOn",
    "derivedFrom",
    "producedBy",
    "trainedOn",
)

#: From a group or person to the groups above, from a group to the groups and people below.
ABOVE_TYPES: tuple[str, ...] = ("childOf", "memberOf")
BELOW_TYPES: tuple[str, ...] = ("parentOf", "hasMember")
