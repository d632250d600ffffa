"""Checks what a task is asked for, before there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import orjson

from portal.errors import InputError, NotFoundError, ValuesError
from portal.model.entity import LOCATION_ANNOTATION
from portal.model.ref import PEOPLE, EntityRef
from portal.model.secret import Secret
from portal.model.sentence import Sentence, lines, several
from portal.scaffolder.engine import Engine
from portal.scaffolder.parameters import owner_parameters, values_errors
from portal.scaffolder.task import API_VERSION
from portal.services.task_catalog import CatalogReader, ExpectedOwnership
from portal.services.task_rights import TaskRights


class Finding(Protocol):
    """A policy's verdict, as `portal.graph` gives it."""

    @property
    def rule(self) -> str:
        """The rule that speaks."""
        ...

    @property
    def message(self) -> str:
        """What is wrong."""
        ...

    @property
    def fix(self) -> str:
        """What to do, such as who could own."""
        ...

    @property
    def severity(self) -> str:
        """`enforce` when it forbids."""
        ...


class OwnershipRules(Protocol):
    """Says who may own."""

    def check_owner(self, owner_ref: EntityRef, layer: str) -> Sequence[Finding]:
        """Return what speaks against an owner in a layer."""
        ...

    def default_layers(self) -> Mapping[str, str]:
        """Return the layer of each kind (lower case) where nothing else says, as far as there are such layers."""
        ...


class OwnershipInvariant:
    """Asks whether who is to own what a template creates may."""

    def __init__(self, catalog: CatalogReader, rules: OwnershipRules, engine: Engine) -> None:
        self._catalog = catalog
        self._ownership = rules
        self._engine = engine

    def ownership(
        self,
        template: Mapping[str, Any],
        form: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        rights: TaskRights | None,
    ) -> ExpectedOwnership | None:
        """Return the ownership that a template promises for what it creates, None where it creates nothing.

        Raises `InputError` unless the owner is in the catalog and may own in the layer, `NotAllowedError` where whoever
        has the `rights` may not create for it.
        """
        creates = template["spec"].get("creates") or []
        if not creates:
            return None
        names = owner_parameters(form)
        owners = _owners(names, values)
        if not owners:
            parameter = (names or ["owner"])[0]
            raise InputError(
                Sentence(
                    "The template creates %(creates)s, which needs an owner; give one as "
                    '"%(parameter)s", such as "group:default/team"',
                    creates=_listed(creates),
                    parameter=parameter,
                )
            )
        known = self._catalog.by_refs(list(owners.values()))
        faults: list[str] = [
            Sentence(
                "%(name)s: found %(owner)s, which is not in the catalog; expected a Group or User that is",
                name=name,
                owner=owner,
            )
            for name, owner in owners.items()
            if owner not in known or owner.kind not in PEOPLE
        ]
        layers = self._layers(creates, values)
        if not faults:
            faults = self._forbidden(layers, owners)
        if faults:
            raise InputError(lines(faults), faults)
        if rights is not None:
            rights.require_owners(list(owners.values()))
        kinds = frozenset(str(item["kind"]).lower() for item in creates)
        return ExpectedOwnership(next(iter(owners.values())), kinds, tuple(layers))

    def _layers(self, creates: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> list[str]:
        """Return the layers that a template makes something in: those it says, else those that the kinds are for."""
        defaults = self._ownership.default_layers()
        said = [str(item.get("layer") or "") for item in creates]
        rendered = self._engine.render_value(said, {"parameters": values}).value
        told = rendered if isinstance(rendered, list) else said
        found = [layer or defaults.get(str(item["kind"]).lower()) for item, layer in zip(creates, told, strict=True)]
        return [str(layer) for layer in dict.fromkeys(found) if layer]

    def _forbidden(self, layers: Sequence[str], owners: Mapping[str, EntityRef]) -> list[str]:
        """Return what the layers' rules say against the owners, where they enforce it."""
        return [
            Sentence(
                "%(name)s: %(message)s (rule %(rule)s). %(fix)s",
                name=name,
                message=finding.message,
                rule=finding.rule,
                fix=finding.fix,
            )
            for name, owner in owners.items()
            for layer in layers
            for finding in self._ownership.check_owner(owner, layer)
            if finding.severity == "enforce"
        ]


def of_portal(
    ownership: OwnershipInvariant | None,
    template: Mapping[str, Any],
    form: Sequence[Mapping[str, Any]],
    values: Mapping[str, Any],
    rights: TaskRights | None,
) -> dict[str, Any]:
    """Return what a task's spec holds beside Backstage's: the ownership that is promised, what its actions may do.

    Its `scopes` are the permissions that an API token left to whoever asks; without one there are none.

    Raises as `OwnershipInvariant.ownership` does; `ownership` None leaves the owners unchecked.
    """
    expected = None if ownership is None else ownership.ownership(template, form, values, rights)
    found: dict[str, Any] = {} if expected is None else {"ownership": expected.to_json()}
    if rights is None:
        return found
    actions, scopes = rights.actions(template), rights.scopes()
    if actions is not None:
        found["permittedActions"] = actions.to_json()
    if scopes is not None:
        found["scopes"] = sorted(scopes)
    return found


def template_ref(text: str) -> EntityRef:
    """Return the reference of a template. Raises `InputError` for that of anything else."""
    ref = EntityRef.parse(text, default_kind="template")
    if ref.kind != "template":
        raise InputError(Sentence('Only templates can be run; found a reference to the kind "%(kind)s"', kind=ref.kind))
    return ref


def usable(ref: EntityRef, body: str | None) -> dict[str, Any]:
    """Return a template that the catalog has as `body`. Raises `NotFoundError`, or `InputError` for another version."""
    if body is None:
        raise NotFoundError(Sentence("Template %(ref)s not found", ref=ref))
    template: dict[str, Any] = orjson.loads(body)
    if template.get("apiVersion") != API_VERSION:
        raise InputError(
            Sentence(
                "Template %(ref)s: found apiVersion %(value)s; expected %(api_version)s",
                ref=ref,
                value=template.get("apiVersion"),
                api_version=API_VERSION,
            )
        )
    return template


def raise_for(errors: Sequence[dict[str, Any]]) -> None:
    """Raise `ValuesError` for faults, where there are any."""
    if errors:
        raise ValuesError(several([error["stack"] for error in errors]), errors)


def secrets_errors(template: Mapping[str, Any], secrets: Mapping[str, Secret]) -> list[dict[str, Any]]:
    """Return the faults of the secrets; none shows a value."""
    schema = (template["spec"].get("secrets") or {}).get("schema")
    if not isinstance(schema, dict):
        return []
    errors = values_errors([schema], {name: secret.reveal() for name, secret in secrets.items()})
    for error in errors:
        place = str(error["property"]).replace("instance", "secrets", 1)
        message = Sentence("is not accepted by the keyword %(keyword)s", keyword=error["name"])
        if error["name"] == "required":
            message = Sentence('requires secret "secrets.%(name)s"', name=error["argument"])
        stack = Sentence("%(place)s %(message)s", place=place, message=message)
        error.update(property=place, message=message, instance={}, stack=stack)
    return errors


def secret_names(template: Mapping[str, Any]) -> list[str]:
    """Return the names of the secrets that a template says it takes, whatever it looks like otherwise."""
    spec = template.get("spec")
    secrets = spec.get("secrets") if isinstance(spec, Mapping) else None
    schema = secrets.get("schema") if isinstance(secrets, Mapping) else None
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return list(properties) if isinstance(properties, Mapping) else []


def base_url(template: Mapping[str, Any]) -> str | None:
    """Return what the relative urls of a template are relative to."""
    location = (template["metadata"].get("annotations") or {}).get(LOCATION_ANNOTATION, "")
    location_type, _, target = location.partition(":")
    if location_type == "file":
        return f"file://{quote(target)}"
    return target if location_type == "url" else None


def _owners(names: Sequence[str], values: Mapping[str, Any]) -> dict[str, EntityRef]:
    """Return the owners that were given, by parameter. Raises `InputError` for one that is no reference."""
    owners: dict[str, EntityRef] = {}
    for name in names:
        value = values.get(name)
        if value in (None, ""):
            continue
        if not isinstance(value, str):
            raise InputError(
                Sentence(
                    '%(name)s: found %(value)s; expected a reference such as "group:default/team"',
                    name=name,
                    value=f"{value!r}",
                )
            )
        owners[name] = EntityRef.parse(value, default_kind="group")
    return owners


def _listed(creates: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(item.get("kind")) for item in creates)
