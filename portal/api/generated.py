"""The routes on what templates have generated: how far it is behind, what would bring it up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.answers import answer
from portal.model.ref import EntityRef

if TYPE_CHECKING:
    from portal.services.generated import GeneratedService
    from portal.services.task_rights import TaskAccess
    from portal.services.upgrades import UpgradesService


class GeneratedArguments(Schema):
    """The template whose repositories are told of; all without."""

    template = fields.String(validate=validate.Length(1))


class UpgradeInput(Schema):
    """The body of a request to upgrade the repository of an entity."""

    entityRef = fields.String(required=True, validate=validate.Length(1))  # noqa: N815  # as Backstage writes names
    values = fields.Dict(keys=fields.String(), load_default=dict)
    dryRun = fields.Boolean(load_default=False)  # noqa: N815  # as above


def add_generated_routes(
    blueprint: Blueprint, generated: GeneratedService, upgrades: UpgradesService, access: TaskAccess
) -> None:
    """Add the routes below /api/scaffolder."""

    @blueprint.get("/v2/generated")
    @blueprint.arguments(GeneratedArguments, location="query", unknown=RAISE)
    @blueprint.response(200)
    def list_generated(arguments: dict[str, Any]) -> Response:
        """List what templates have generated, with how far it is behind them."""
        name = arguments.get("template")
        template = None if name is None else EntityRef.parse(name, default_kind="template")
        return answer(generated.listing(template).to_json())

    @blueprint.post("/v2/upgrade")
    @blueprint.arguments(UpgradeInput)
    @blueprint.response(200)
    def upgrade(body: dict[str, Any]) -> Response:
        """Merge what a template has changed into the repository of an entity, on a branch of its own."""
        from portal.services.upgrades import Asking, UpgradeOptions  # noqa: PLC0415  # who upgrades nothing need not

        found = upgrades.upgrade_entity(
            EntityRef.parse(body["entityRef"]),
            UpgradeOptions(body["values"], is_dry=body["dryRun"]),
            asking=Asking(access.user_ref(), access.rights()),
        )
        return answer(found.to_json())
