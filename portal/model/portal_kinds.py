"""The kinds that Portal adds: the assets of machine learning, layers, roles, policies."""

from __future__ import annotations

from portal.model.declared_kinds import definition_faults
from portal.model.fields import (
    AnyMapping,
    Number,
    Object,
    ObjectList,
    OneOfTypes,
    Ref,
    RefList,
    Text,
    TextList,
    TextMapping,
)
from portal.model.kind import PORTAL_VERSION, Kind, SpecSchema
from portal.model.owned import AssetSpec, owner_field, owners_field
from portal.model.policy import policy_faults
from portal.model.relation import (
    CONSUMED_BY,
    CONSUMES,
    DEPENDS_ON,
    DERIVED_FROM,
    PART_OF,
    PRODUCED_BY,
    PRODUCES,
    TRAINED_ON,
)
from portal.model.repository_access import OWNER_RIGHTS, STEWARD_RIGHTS
from portal.model.sentence import Sentence


class KpiSchema(SpecSchema):
    """A number that shows whether a project comes nearer to its goal."""

    name = Text(required=True, description="How it is called")
    unit = Text(description="What it is counted in")
    baseline = OneOfTypes((float, int), expected=Sentence("a number"), description="What it is when the project starts")
    target = OneOfTypes(
        (float, int), expected=Sentence("a number"), description="What it is to be when the project ends"
    )


class ProjectSpec(AssetSpec):
    """An AI project of a team: what it stands on, and the roles it needs."""

    goal = Text(description="What the project is to achieve, in a sentence")
    kpis = ObjectList(
        KpiSchema, description="What shows whether the goal comes nearer: `name`, `unit`, `baseline`, `target`"
    )
    starts = Text(description="The first day, such as 2026-01-31")
    ends = Text(description="The last day, such as 2026-12-31")
    needs = TextList(description="Names of the roles that the project needs")


class PipelineSpec(AssetSpec):
    """A pipeline, or a component that pipelines are built from."""

    type = Text(required=True, description="pipeline, component, library, ...")
    consumes = RefList("Dataset", emits=CONSUMES, description="What it reads")
    produces = RefList("Dataset", emits=PRODUCES, description="What it writes")


class DatasetSpec(AssetSpec):
    """Data that is kept, described and shared."""

    type = Text(required=True, description="table, files, stream, ...")
    format = Text(description="parquet, csv, avro, ...")
    classification = Text(description="public, internal, confidential or restricted")
    schema = Text(description="Path of the data's schema in the repository")
    producedBy = RefList("Pipeline", emits=PRODUCED_BY, description="What writes it")
    consumedBy = RefList("Pipeline", emits=CONSUMED_BY, description="What reads it")
    derivedFrom = RefList("Dataset", emits=DERIVED_FROM, description="The data it is made from")


class FeatureSetSpec(AssetSpec):
    """Features computed from datasets, served by a feature store."""

    type = Text(required=True, description="batch, streaming, ...")
    producedBy = RefList("Pipeline", emits=PRODUCED_BY, description="What computes it")
    derivedFrom = RefList("Dataset", emits=DERIVED_FROM, description="The data it is made from")


class ModelSpec(AssetSpec):
    """A trained model."""

    type = Text(required=True, description="classifier, regressor, ranker, llm, ...")
    producedBy = RefList("Pipeline", emits=PRODUCED_BY, description="What trains it")
    trainedOn = RefList("Dataset", emits=TRAINED_ON, description="Datasets and feature sets it learnt from")
    derivedFrom = RefList("Model", emits=DERIVED_FROM, description="The model it is tuned from")


class ExperimentSpec(AssetSpec):
    """A question asked of data: notebooks, runs and their results."""

    type = Text(required=True, description="tracking, study, benchmark, ...")
    project = Ref("Project", emits=PART_OF, description="The project that asks")
    notebooks = RefList("Notebook", emits=DEPENDS_ON, description="Notebooks it runs in")
    consumes = RefList("Dataset", emits=CONSUMES, description="Data it reads")
    produces = RefList("Model", emits=PRODUCES, description="Models it yields")


class NotebookSpec(AssetSpec):
    """A notebook image, kernel or template."""

    type = Text(required=True, description="image, kernel or template")
    image = Text(description="The container image that it starts from")


class DutySchema(SpecSchema):
    """A duty that every asset of a layer has a steward for."""

    duty = Text(required=True, description='What is answered for, such as "checks"')
    role = Text(required=True, description="The role that answers")


class RepositoryAccessSchema(SpecSchema):
    """What the owner and the stewards of an asset get in its repository."""

    owner = Text(one_of=OWNER_RIGHTS, description="What the owner gets; maintain if absent")
    stewards = TextMapping(one_of=STEWARD_RIGHTS, description="What a steward gets, by duty")
    default = Text(one_of=STEWARD_RIGHTS, description="What stewards of other duties get; read if absent")


class LayerSpec(SpecSchema):
    """A layer: its rank, who may own in it, who must steward it, what it may depend on."""

    rank = Number(required=True, minimum=1, description="1 is the lowest; a layer stands on those of lower rank")
    owner = owner_field(description="Who answers for the layer itself")
    owners = owners_field()
    ownerRoles = TextList(required=True, description="Names of the roles that may own in this layer")
    stewards = ObjectList(DutySchema, description="Duties that every asset of the layer needs a steward for")
    mayDependOn = TextList(
        description="Names of the layers that its assets may depend on; the same and lower ranks if absent"
    )
    approvers = TextList(description="Names of the roles that may grant exemptions")
    enforcement = TextMapping(
        one_of=("off", "warn", "enforce"), description="Severity of a rule in this layer, by the rule's id"
    )
    repositoryAccess = Object(
        RepositoryAccessSchema, description="What the owner and the stewards of an asset get in its repository"
    )


class RoleSpec(SpecSchema):
    """A role that people or groups hold."""

    layers = TextList(description="Names of the layers where the role usually works")
    responsibilities = TextList(description="What the role does, in words")


class ExemptionSchema(SpecSchema):
    """Leave for one entity to break the rule for a time."""

    entity = Text(required=True, description="The entity, with its kind")
    reason = Text(required=True, description="Why it may break the rule")
    approver = Text(
        required=True, description="The group or user who allows it, with one of the layer's approver roles"
    )
    expires = Text(required=True, description="The last day (UTC) that it holds, such as 2026-12-31")


class PolicySpec(SpecSchema):
    """A rule switched on for layers, with its severity and reason; with an expression or effect the rule itself."""

    owner = owner_field(description="Who answers for the policy")
    owners = owners_field()
    rule = Text(required=True, description="The rule's id; with an expression or effect that of the new rule")
    layers = TextList(description="Names of the layers it holds for; all if absent")
    severity = Text(
        one_of=("off", "warn", "enforce"),
        description="What a violation means; if absent warn for an expression, and unchanged for another rule",
    )
    reason = Text(description="Why the rule exists")
    expression = Text(description="A condition in CEL that each asset must keep")
    kinds = TextList(
        description="Names of the kinds that it is about; if absent all, of an expression all that stand in layers"
    )
    explanation = Text(description="What the expression asks for, in a sentence")
    message = Text(description="What is wrong with an asset that does not keep it, in a sentence")
    fix = Text(description="How an asset comes to keep it, in a sentence")
    effect = Text(
        one_of=("allow", "deny"), description="Makes it an access rule: what becomes of requests that it speaks of"
    )
    permissions = TextList(description="Names of the permissions of an access rule; * stands for anything")
    who = Text(description="A condition in CEL on the actor of an access rule; everybody if absent")
    conditions = AnyMapping(description="Which entities an access rule is about, as Backstage writes conditions")
    exemptions = ObjectList(ExemptionSchema, description="Who may break the rule, and until when")


class KindNamesSchema(SpecSchema):
    """How a kind is called."""

    kind = Text(required=True)
    singular = Text()
    plural = Text()


class KindRelationSchema(SpecSchema):
    """A field of a declared kind that names other entities."""

    field = Text(required=True, description="The field of the spec that holds references")
    type = Text(required=True, description="The relation from the entity to what the field names")
    inverse = Text(description="The same relation told from the other side; required where the type is new")
    kind = Text(description="The kind of a short reference; without it references are written with their kind")
    description = Text(description="What the field means")


class KindDefinitionSpec(SpecSchema):
    """A kind declared in YAML."""

    owner = owner_field(description="Who answers for the kind")
    owners = owners_field()
    names = Object(KindNamesSchema, required=True, description="How the kind is called")
    group = Text(required=True, description="The part of apiVersion before the slash")
    version = Text(required=True, description="The part of apiVersion after the slash")
    versions = TextList(description="Further versions that are accepted, such as older ones")
    layer = Text(description="The layer of its entities, where nothing else says; they must have an owner then")
    schema = AnyMapping(description="JSON Schema of the spec")
    relations = ObjectList(KindRelationSchema, description="The fields that name other entities")


_VERSIONS = frozenset({PORTAL_VERSION})


def _asset(name: str, spec: type[SpecSchema], description: str, *, layer: str, plural: str) -> Kind:
    return Kind(name, _VERSIONS, spec, description, layer=layer, layered=True, plural=plural)


PORTAL_KINDS: tuple[Kind, ...] = (
    _asset("Project", ProjectSpec, "An AI project of a team.", layer="project", plural="projects"),
    _asset("Pipeline", PipelineSpec, "A pipeline or pipeline component.", layer="shared", plural="pipelines"),
    _asset("Dataset", DatasetSpec, "Data that is kept and shared.", layer="shared", plural="datasets"),
    _asset("FeatureSet", FeatureSetSpec, "Features in a feature store.", layer="shared", plural="featuresets"),
    _asset("Model", ModelSpec, "A trained model.", layer="shared", plural="models"),
    _asset("Experiment", ExperimentSpec, "A question asked of data.", layer="shared", plural="experiments"),
    _asset("Notebook", NotebookSpec, "A notebook image, kernel or template.", layer="shared", plural="notebooks"),
    Kind("Layer", _VERSIONS, LayerSpec, "A layer with its policy.", plural="layers"),
    Kind("Role", _VERSIONS, RoleSpec, "A role that people or groups hold.", plural="roles"),
    Kind(
        "Policy",
        _VERSIONS,
        PolicySpec,
        "A rule switched on for layers.",
        plural="policies",
        further=policy_faults,
    ),
    Kind(
        "KindDefinition",
        _VERSIONS,
        KindDefinitionSpec,
        "A kind declared in YAML.",
        plural="kinddefinitions",
        further=definition_faults,
    ),
)
