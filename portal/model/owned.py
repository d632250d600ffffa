"""The fields that every owned thing shares: owner, owners, layer, stewards, contributors."""

from __future__ import annotations

from portal.model.fields import Ref, RefList, RefObjectList, Text
from portal.model.kind import SpecSchema
from portal.model.relation import (
    CONTRIBUTED_BY,
    DEPENDENCY_OF,
    DEPENDS_ON,
    HAS_ROLE,
    IN_LAYER,
    OWNED_BY,
    PART_OF,
    STEWARDED_BY,
)
from portal.model.sentence import Sentence


def owner_field(*, required: bool = True, description: str = "The accountable owner: a group or user") -> Ref:
    """Return the field of who is accountable; the first of `owners` is, where it is absent."""
    return Ref("Group", emits=OWNED_BY, required=required, instead="owners", description=description)


def owners_field(*, lenient: bool = False) -> RefList:
    """Return the field of all who own; on a kind of Backstage's it is Portal's own, and lenient."""
    return RefList(
        "Group",
        emits=OWNED_BY,
        lenient=lenient,
        min_items=1,
        hint=Sentence("List groups or users; the first is accountable unless spec.owner names who is"),
        description="All who own it, without `owner` the first being accountable",
    )


class StewardSchema(SpecSchema):
    """Somebody who answers for one duty of an asset without owning it."""

    ref = Text(required=True, description="A group or user; short references mean a Group")
    duty = Text(required=True, description='What is answered for, such as "checks" or "automation"')


class LayeredSpec(SpecSchema):
    """Portal's own fields on a kind of Backstage's; they never refuse what Backstage accepts."""

    layer = Ref("Layer", emits=IN_LAYER, lenient=True, description="The layer this stands in")
    stewards = RefObjectList(
        StewardSchema, "Group", emits=STEWARDED_BY, lenient=True, description="Who answers for a duty beside the owner"
    )
    contributors = RefList("User", emits=CONTRIBUTED_BY, lenient=True, description="Who works on it")


class OwnedSpec(LayeredSpec):
    """A thing with exactly one accountable owner."""

    owner = owner_field()
    owners = owners_field(lenient=True)


class HolderSpec(SpecSchema):
    """A group or person that holds roles."""

    roles = RefList("Role", emits=HAS_ROLE, lenient=True, description="The roles held")


class AssetSpec(SpecSchema):
    """The spec of Portal's own asset kinds: owned, in a layer, part of a system."""

    owner = owner_field()
    owners = owners_field()
    lifecycle = Text(required=True, description="experimental, production or deprecated")
    system = Ref("System", emits=PART_OF, description="The system this is part of")
    layer = Ref("Layer", emits=IN_LAYER, description="The layer this stands in, where its system does not say")
    stewards = RefObjectList(
        StewardSchema, "Group", emits=STEWARDED_BY, description="Who answers for a duty beside the owner"
    )
    contributors = RefList("User", emits=CONTRIBUTED_BY, description="Who works on it")
    dependsOn = RefList(None, emits=DEPENDS_ON, description="What this needs; references with their kind")
    dependencyOf = RefList(None, emits=DEPENDENCY_OF, description="What needs this; references with their kind")
