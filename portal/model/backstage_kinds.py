"""The kinds that Backstage defines, with its fields, requirements, relations.

Rules: catalog-model 1.10.1 (`schema/kinds`), scaffolder-common 2.3.0 (`Template.v1beta3.schema.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from portal.model.fields import AnyMapping, Fault, Object, ObjectList, OneOfTypes, Ref, RefList, Text, TextList
from portal.model.kind import CORE_VERSIONS, Kind, SpecSchema
from portal.model.owned import HolderSpec, LayeredSpec, OwnedSpec, owner_field, owners_field
from portal.model.relation import (
    ACTS_FOR,
    CHILD_OF,
    CONSUMES_API,
    DEPENDENCY_OF,
    DEPENDS_ON,
    HAS_MEMBER,
    HAS_PART,
    MEMBER_OF,
    PARENT_OF,
    PART_OF,
    PROVIDES_API,
)
from portal.model.sentence import Sentence


class ComponentSpec(OwnedSpec):
    """A piece of software."""

    type = Text(required=True, description="service, website, library, ...")
    lifecycle = Text(required=True, description="experimental, production or deprecated")
    system = Ref("System", emits=PART_OF, description="The system this is part of")
    subcomponentOf = Ref("Component", emits=PART_OF, description="The component this is part of")
    providesApis = RefList("API", emits=PROVIDES_API, description="APIs this provides")
    consumesApis = RefList("API", emits=CONSUMES_API, description="APIs this uses")
    dependsOn = RefList(None, emits=DEPENDS_ON, description="What this needs; references with their kind")
    dependencyOf = RefList(None, emits=DEPENDENCY_OF, description="What needs this; references with their kind")


class ApiSpec(OwnedSpec):
    """An interface between components."""

    type = Text(required=True, description="openapi, asyncapi, graphql, grpc, ...")
    lifecycle = Text(required=True, description="experimental, production or deprecated")
    system = Ref("System", emits=PART_OF, description="The system this is part of")
    definition = Text(required=True, description="The interface's definition")


class McpRemoteSchema(SpecSchema):
    """One way to reach an MCP server."""

    type = Text(required=True)
    url = Text(required=True)


class McpServerSpec(OwnedSpec):
    """An MCP server offered as an API."""

    type = Text(required=True)
    lifecycle = Text(required=True)
    system = Ref("System", emits=PART_OF)
    remotes = ObjectList(McpRemoteSchema, required=True, min_items=1, description="Where the server is reached")


class ResourceSpec(OwnedSpec):
    """What a system needs to run: a database, a bucket, a cluster."""

    type = Text(required=True, description="database, s3-bucket, cluster, ...")
    system = Ref("System", emits=PART_OF, description="The system this is part of")
    dependsOn = RefList(None, emits=DEPENDS_ON, description="What this needs; references with their kind")
    dependencyOf = RefList(None, emits=DEPENDENCY_OF, description="What needs this; references with their kind")


class SystemSpec(OwnedSpec):
    """Components and resources that work together."""

    domain = Ref("Domain", emits=PART_OF, description="The domain this is part of")
    type = Text(description="product, feature-set, ...")


class DomainSpec(OwnedSpec):
    """An area that groups systems."""

    subdomainOf = Ref("Domain", emits=PART_OF, description="The domain this is part of")
    type = Text(description="product-area, ...")


class ProfileSchema(SpecSchema):
    """How a group or person is shown."""

    displayName = Text()
    email = Text()
    picture = Text()


class GroupSpec(HolderSpec):
    """A team or another unit of the organisation."""

    type = Text(required=True, description="team, department, organization, ...")
    profile = Object(ProfileSchema, description="How the group is shown")
    parent = Ref("Group", emits=CHILD_OF, description="The group above")
    children = RefList("Group", emits=PARENT_OF, required=True, description="The groups below")
    members = RefList("User", emits=HAS_MEMBER, description="The group's direct members")
    actsFor = RefList(
        "Group", emits=ACTS_FOR, lenient=True, description="Groups that its members may create for, beside their own"
    )


class UserSpec(HolderSpec):
    """A person."""

    profile = Object(ProfileSchema, description="How the person is shown")
    memberOf = RefList("Group", emits=MEMBER_OF, required=True, description="The person's groups")


class LocationSpec(SpecSchema):
    """A pointer to further catalog files."""

    type = Text(description="url or file; the type of the location that this entity came from, if absent")
    target = Text(description="One target: relative, or absolute")
    targets = TextList(description="Several targets")
    presence = Text(one_of=("required", "optional"), description="Whether a missing target is a problem")


class TagsSchema(SpecSchema):
    """Tags that permission rules look at."""

    tags = TextList()


class StepSchema(SpecSchema):
    """One step of a template."""

    id = Text(allow_empty=True, description="Names the step's output in later expressions")
    name = Text(allow_empty=True, description="What people see")
    action = Text(required=True, allow_empty=True, description="The action to run")
    input = AnyMapping(description="The action's input; texts may hold expressions")
    condition = OneOfTypes(
        (str, bool), key="if", expected=Sentence("a text or a boolean"), description="Whether the step runs"
    )
    permissions = Object(TagsSchema, key="backstage:permissions", description="Who gets the step at all")


class OutputLinkSchema(SpecSchema):
    """A link shown when the task is done."""

    url = Text()
    entityRef = Text()
    title = Text()
    icon = Text()
    condition = OneOfTypes(
        (str, bool), key="if", expected=Sentence("a text or a boolean"), description="Whether it is shown"
    )


class OutputTextSchema(SpecSchema):
    """A text shown when the task is done."""

    title = Text()
    icon = Text()
    content = Text()
    condition = OneOfTypes(
        (str, bool), key="if", expected=Sentence("a text or a boolean"), description="Whether it is shown"
    )


def _is_output(name: str, value: Any) -> bool:
    return name in {"links", "text"} or isinstance(value, str)


class OutputSchema(SpecSchema):
    """What a task gives back; members beside these are texts. Rule: scaffolder-common, Template.v1beta3.schema.json."""

    links = ObjectList(OutputLinkSchema)
    text = ObjectList(OutputTextSchema)

    @validates_schema(skip_on_field_errors=False)
    def _texts(self, data: Mapping[str, Any], **_given: Any) -> None:
        faults = {
            name: [Fault("field-invalid", Sentence("a text"))] for name in data if not _is_output(name, data[name])
        }
        if faults:
            raise ValidationError(faults)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the output."""
        return super().json_schema() | {"additionalProperties": {"type": "string"}}


class ButtonLabelsSchema(SpecSchema):
    """Texts of the form's buttons."""

    backButtonText = Text(allow_empty=True)
    createButtonText = Text(allow_empty=True)
    reviewButtonText = Text(allow_empty=True)


class PresentationSchema(SpecSchema):
    """How the form is shown."""

    buttonLabels = Object(ButtonLabelsSchema)


class SecretsSchema(SpecSchema):
    """What secrets a task needs."""

    schema = AnyMapping(description="JSON Schema of the secrets")


class RecoverySchema(SpecSchema):
    """What happens to a task whose worker is gone."""

    EXPERIMENTAL_strategy = Text(allow_empty=True)


class TemplateSpec(LayeredSpec):
    """A recipe that makes a new asset in a new repository."""

    type = Text(required=True, description="What the template makes: service, dataset, ...")
    owner = owner_field(required=False, description="The template's own accountable owner")
    owners = owners_field(lenient=True)
    lifecycle = Text(description="experimental, production or deprecated")
    parameters = OneOfTypes((dict, list), expected=Sentence("a mapping (one page) or a list of mappings"))
    steps = ObjectList(StepSchema, required=True, description="What is done, in order")
    output = Object(OutputSchema, description="What the person gets to see at the end")
    presentation = Object(PresentationSchema)
    secrets = Object(SecretsSchema)
    EXPERIMENTAL_recovery = Object(RecoverySchema)


class AiResourceSpec(OwnedSpec):
    """Context that AI coding tools use: a skill, a rule, a plugin, a marketplace."""

    type = Text(required=True, description="skill, rule, plugin, marketplace, ...")
    lifecycle = Text(required=True, description="experimental, production or deprecated")
    system = Ref("System", emits=PART_OF, description="The system this is part of")


class SkillSpec(AiResourceSpec):
    """A skill."""

    disciplines = TextList()
    categories = TextList()
    agents = TextList()
    dependsOn = RefList("AiResource", emits=DEPENDS_ON)
    allowedTools = Text(lenient=True)
    license = Text()
    compatibility = Text()


class RuleSpec(AiResourceSpec):
    """A rule."""

    disciplines = TextList()
    category = Text(required=True)
    rationale = Text(required=True)


class AiPluginSpec(AiResourceSpec):
    """A plugin: a set of skills."""

    skills = RefList("AiResource", emits=HAS_PART, required=True)
    version = Text()


class MarketplaceSpec(AiResourceSpec):
    """A marketplace: a set of plugins."""

    plugins = RefList("AiResource", emits=HAS_PART, required=True)
    version = Text()


BACKSTAGE_KINDS: tuple[Kind, ...] = (
    Kind("Component", CORE_VERSIONS, ComponentSpec, "A piece of software.", layered=True, plural="components"),
    Kind(
        "API",
        CORE_VERSIONS,
        ApiSpec,
        "An interface between components.",
        variants={"mcp-server": McpServerSpec},
        layered=True,
        plural="apis",
    ),
    Kind(
        "Resource",
        CORE_VERSIONS,
        ResourceSpec,
        "Infrastructure that a system needs.",
        layered=True,
        plural="resources",
    ),
    Kind("System", CORE_VERSIONS, SystemSpec, "Things that work together.", layered=True, plural="systems"),
    Kind("Domain", CORE_VERSIONS, DomainSpec, "An area that groups systems.", plural="domains"),
    Kind("Group", CORE_VERSIONS, GroupSpec, "A team or another unit of the organisation.", plural="groups"),
    Kind("User", CORE_VERSIONS, UserSpec, "A person.", plural="users"),
    Kind("Location", CORE_VERSIONS, LocationSpec, "A pointer to further catalog files.", plural="locations"),
    Kind(
        "Template",
        frozenset({"scaffolder.backstage.io/v1beta3"}),
        TemplateSpec,
        "A recipe that makes a new asset in a new repository.",
        layer="shared",
        layered=True,
        plural="templates",
    ),
    Kind(
        "AiResource",
        frozenset({"backstage.io/v1alpha1"}),
        AiResourceSpec,
        "Context that AI coding tools use.",
        variants={"skill": SkillSpec, "rule": RuleSpec, "plugin": AiPluginSpec, "marketplace": MarketplaceSpec},
        layered=True,
        plural="airesources",
    ),
)
