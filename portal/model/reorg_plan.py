"""The plan of a reorganisation, as people write it in YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from marshmallow import RAISE, fields

from portal.errors import InputError
from portal.model.envelope import Path, is_namespace, is_object_name
from portal.model.fields import Fault, Object, ObjectList, PortalField, Text, TextList
from portal.model.filter import EntityFilter, parse_filter_params
from portal.model.kind import SpecSchema
from portal.model.ref import EntityRef

_Field = TypeVar("_Field", bound=fields.Field[Any])
#: What an asset names its people in, and a rule may take.
CAPACITIES = ("owner", "stewards", "contributors")
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)


class _Strict(SpecSchema):
    """A part of a plan: a field that is not known is a slip of the pen."""

    error_messages: dict[str, Any] = SpecSchema.error_messages | {
        "unknown": Fault("field-invalid", "a field that plans have")
    }

    class Meta:
        """Unknown members are refused."""

        unknown = RAISE


class _Flag(PortalField, fields.Boolean):
    """True or false."""

    def __init__(self, *, description: str) -> None:
        expected = [Fault("field-invalid", "true or false")]
        super().__init__(
            truthy={True}, falsy={False}, error_messages={"invalid": expected, "null": expected, "required": expected}
        )
        self.description = description

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a flag."""
        return {"type": "boolean"}


def _called(key: str, declared: _Field) -> _Field:
    """Return a field by the name that it has in plans: `from` and `as` are words of Python."""
    declared.data_key = key
    return declared


class NewGroupSchema(_Strict):
    """A group that begins."""

    ref = Text(required=True, description="Its reference; a short one means a Group")
    title = Text(description="How it is shown")
    description = Text(description="What it does")
    type = Text(description='Its `spec.type`; "team" without')
    parent = Text(description="The group above")
    roles = TextList(description="The roles it holds")
    beside = Text(description="The entity behind whose document it is written; the first group that ends without")


class ClosedGroupSchema(_Strict):
    """A group that ends."""

    ref = Text(required=True, description="The group")
    heir = Text(description="Who takes all that no rule gives to somebody else; without, that is a fault of the plan")
    keep = _Flag(description="Whether its document stays, without members and children, instead of going")


class MovedGroupSchema(_Strict):
    """A group that comes below another."""

    ref = Text(required=True, description="The group")
    parent = Text(required=True, description="The group above from now on")


class GroupsSchema(_Strict):
    """Groups that begin, end, or move."""

    create = ObjectList(NewGroupSchema, description="Groups that begin")
    close = ObjectList(ClosedGroupSchema, description="Groups that end")
    move = ObjectList(MovedGroupSchema, description="Groups that come below another")


class AssetsSchema(_Strict):
    """Assets that go from one to another; `where` or `refs` says which."""

    source = _called("from", Text(required=True, description="The group or user that has them now"))
    to = Text(required=True, description="The group or user that takes them")
    where = Text(description="Conditions `key=value` or `key`, joined by commas, as the catalog's `filter` has them")
    refs = TextList(min_items=1, description="References of the assets, with their kind")
    capacities = _called(
        "as", TextList(min_items=1, description="What is taken: owner, stewards, contributors; all three without")
    )


class MovedUserSchema(_Strict):
    """A person that goes from one group to another."""

    ref = Text(required=True, description="The person; a short reference means a User")
    source = _called("from", Text(required=True, description="The group that is left"))
    to = Text(required=True, description="The group that is joined")


class PlanSchema(_Strict):
    """A reorganisation."""

    reorganisation = Text(required=True, description="Its name: lower case letters, digits, dashes; names the branch")
    reason = Text(required=True, description="Why, for the commit's message")
    groups = Object(GroupsSchema, description="Groups that begin, end, or move")
    assets = ObjectList(AssetsSchema, description="Who takes which assets")
    users = ObjectList(MovedUserSchema, description="People who go from one group to another")


@dataclass(frozen=True, slots=True)
class PlanFault:
    """What is wrong at a place of a plan, in a sentence."""

    path: Path
    message: str


class PlanError(Exception):
    """A plan that cannot be carried out, with all its faults."""

    def __init__(self, faults: list[PlanFault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group that begins; see `NewGroupSchema`."""

    ref: EntityRef
    title: str
    description: str
    type: str
    parent: EntityRef | None
    roles: tuple[EntityRef, ...]
    beside: EntityRef | None


@dataclass(frozen=True, slots=True)
class ClosedGroup:
    """A group that ends."""

    ref: EntityRef
    heir: EntityRef | None
    keep: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A group or person that leaves one group (of a group: whatever is above it) for another."""

    ref: EntityRef
    source: EntityRef | None
    to: EntityRef


@dataclass(frozen=True, slots=True)
class AssetRule:
    """Assets of `source` that `to` takes: those of `refs`, or those that the filter means."""

    source: EntityRef
    to: EntityRef
    capacities: tuple[str, ...]
    where: EntityFilter | None
    refs: tuple[EntityRef, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A reorganisation; the places of its parts are their numbers."""

    name: str
    reason: str
    created: tuple[NewGroup, ...] = ()
    closed: tuple[ClosedGroup, ...] = ()
    moved: tuple[Move, ...] = ()
    assets: tuple[AssetRule, ...] = ()
    users: tuple[Move, ...] = ()

    @property
    def branch(self) -> str:
        """The branch that the change is written to."""
        return f"portal/reorg-{self.name}"

    def refs(self) -> Iterator[tuple[Path, EntityRef]]:
        """Yield every reference with its place, but those of the groups that begin."""
        for index, new in enumerate(self.created):
            place: Path = ("groups", "create", index)
            yield from (
                (((*place, name), ref)) for name, ref in (("parent", new.parent), ("beside", new.beside)) if ref
            )
            yield from (((*place, "roles", number), role) for number, role in enumerate(new.roles))
        for index, closed in enumerate(self.closed):
            yield ("groups", "close", index, "ref"), closed.ref
            if closed.heir is not None:
                yield ("groups", "close", index, "heir"), closed.heir
        for index, moved in enumerate(self.moved):
            yield ("groups", "move", index, "ref"), moved.ref
            yield ("groups", "move", index, "parent"), moved.to
        for index, rule in enumerate(self.assets):
            yield ("assets", index, "from"), rule.source
            yield ("assets", index, "to"), rule.to
            yield from ((("assets", index, "refs", number), ref) for number, ref in enumerate(rule.refs))
        for index, user in enumerate(self.users):
            yield ("users", index, "ref"), user.ref
            if user.source is not None:
                yield ("users", index, "from"), user.source
            yield ("users", index, "to"), user.to


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a plan."""
    found = _closed(PlanSchema.json_schema())
    found["properties"]["reorganisation"] |= {"pattern": f"^{_NAME.pattern}$", "maxLength": 60}
    which = found["properties"]["assets"]["items"]
    which["oneOf"] = [{"required": ["where"]}, {"required": ["refs"]}]
    which["properties"]["as"]["items"] = {"enum": list(CAPACITIES)}
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Reorganisation"}
    return title | {name: value for name, value in found.items() if name != "$schema"}


def parse_plan(value: Any) -> Plan:
    """Return the plan that a value of YAML or JSON means. Raises `PlanError` with every fault of its form."""
    if not isinstance(value, dict):
        raise PlanError([PlanFault((), "expected a mapping with reorganisation, reason, groups, assets, users")])
    faults = [
        PlanFault(path, f"expected {fault.expected}" if isinstance(fault, Fault) else str(fault))
        for path, fault in _flattened(PlanSchema().validate(value), ())
    ]
    if faults:
        raise PlanError(faults)
    plan = _Reader(faults).plan(value)
    if faults:
        raise PlanError(faults)
    return plan


class _Reader:
    """Reads the references of a plan, collecting faults."""

    def __init__(self, faults: list[PlanFault]) -> None:
        self._faults = faults

    def plan(self, value: Mapping[str, Any]) -> Plan:
        name = value["reorganisation"]
        if not _NAME.fullmatch(name) or len(name) > 60:  # noqa: PLR2004  # as the schema says
            self._fault(("reorganisation",), "expected lower case letters, digits and dashes, at most 60")
        groups = value.get("groups") or {}
        return Plan(
            name,
            value["reason"].strip(),
            tuple(self._new(item, ("groups", "create", index)) for index, item in _numbered(groups, "create")),
            tuple(self._closed(item, ("groups", "close", index)) for index, item in _numbered(groups, "close")),
            tuple(
                Move(
                    self._ref(item["ref"], ("groups", "move", index, "ref")),
                    None,
                    self._ref(item["parent"], ("groups", "move", index, "parent")),
                )
                for index, item in _numbered(groups, "move")
            ),
            tuple(self._rule(item, ("assets", index)) for index, item in _numbered(value, "assets")),
            tuple(
                Move(
                    self._ref(item["ref"], ("users", index, "ref"), kind="user"),
                    self._ref(item["from"], ("users", index, "from")),
                    self._ref(item["to"], ("users", index, "to")),
                )
                for index, item in _numbered(value, "users")
            ),
        )

    def _new(self, item: Mapping[str, Any], path: Path) -> NewGroup:
        ref = self._ref(item["ref"], (*path, "ref"))
        if ref and not (ref.kind == "group" and is_object_name(ref.name) and is_namespace(ref.namespace)):
            self._fault((*path, "ref"), f'found "{ref}"; expected a group\'s reference, such as group:default/team-a')
        return NewGroup(
            ref,
            item.get("title", ""),
            item.get("description", ""),
            item.get("type", "team"),
            self._maybe(item, "parent", path),
            tuple(
                self._ref(role, (*path, "roles", number), kind="role")
                for number, role in enumerate(item.get("roles") or ())
            ),
            self._maybe(item, "beside", path),
        )

    def _closed(self, item: Mapping[str, Any], path: Path) -> ClosedGroup:
        return ClosedGroup(
            self._ref(item["ref"], (*path, "ref")), self._maybe(item, "heir", path), bool(item.get("keep"))
        )

    def _rule(self, item: Mapping[str, Any], path: Path) -> AssetRule:
        if ("where" in item) == ("refs" in item):
            self._fault(path, "expected either where or refs")
        capacities = tuple(item.get("as", CAPACITIES))
        for number, capacity in enumerate(capacities):
            if capacity not in CAPACITIES:
                self._fault((*path, "as", number), f"expected one of {', '.join(CAPACITIES)}")
        where = None
        if "where" in item:
            try:
                where = parse_filter_params([item["where"]])
            except InputError as error:
                self._fault((*path, "where"), error.message)
        return AssetRule(
            self._ref(item["from"], (*path, "from")),
            self._ref(item["to"], (*path, "to")),
            capacities,
            where,
            tuple(
                self._ref(ref, (*path, "refs", number), kind=None) for number, ref in enumerate(item.get("refs") or ())
            ),
        )

    def _maybe(self, item: Mapping[str, Any], name: str, path: Path) -> EntityRef | None:
        return self._ref(item[name], (*path, name)) if name in item else None

    def _ref(self, text: str, path: Path, *, kind: str | None = "group") -> EntityRef:
        try:
            if "\0" in text or text != text.strip():
                raise InputError(f"{text!r} is no reference")  # noqa: TRY301  # as others that are none
            return EntityRef.parse(text, default_kind=kind)
        except InputError as error:
            self._fault(path, error.message)
            return EntityRef("")

    def _fault(self, path: Path, message: str) -> None:
        self._faults.append(PlanFault(path, message))


def _numbered(value: Mapping[str, Any], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    yield from enumerate(value.get(name) or ())


def _flattened(errors: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(errors, Mapping):
        for key, nested in errors.items():
            yield from _flattened(nested, path if key == "_schema" else (*path, key))
        return
    for item in errors if isinstance(errors, list) else [errors]:
        yield path, item


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(value) for name, value in schema.items()}
    return found | ({"additionalProperties": False} if isinstance(found.get("properties"), dict) else {})
