"""The routes by which people look after their own API tokens."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate

from portal.api.actor import current_actor
from portal.api.answers import answer
from portal.api.json_bodies import JsonParser
from portal.model.expiry import parse_expiry
from portal.model.ref import EntityRef
from portal.services.api_tokens import ApiTokens

_LIFE = "30d"


class CreateToken(Schema):
    """The body of a request for a token."""

    scopes = fields.List(fields.String(), required=True, validate=validate.Length(1, 100))
    expires = fields.String(load_default=_LIFE)
    description = fields.String(load_default="")


def tokens_blueprint(tokens: ApiTokens) -> Blueprint:
    """Return the routes below /api/auth/v1/tokens."""
    blueprint = Blueprint("tokens", __name__, url_prefix="/api/auth/v1/tokens", description="Tokens of one's own")
    blueprint.ARGUMENTS_PARSER = JsonParser()

    @blueprint.get("")
    @blueprint.response(200)
    def list_tokens() -> Response:
        """List the caller's tokens, the newest first."""
        user = _person()
        return answer({"items": [token.to_json() for token in tokens.tokens(kind="personal", owner=user)]})

    @blueprint.post("")
    @blueprint.arguments(CreateToken, unknown=RAISE)
    @blueprint.response(201)
    def create_token(body: dict[str, Any]) -> Response:
        """Make a token of the caller; this answer alone tells its text."""
        user = _person()
        expires_at_ms = parse_expiry(body["expires"], now_ms=tokens.now_ms)
        made = tokens.create_personal(
            user, body["scopes"], expires_at_ms=expires_at_ms, created_by=user, description=body["description"]
        )
        response = answer(made.token.to_json() | {"token": made.text.reveal()}, 201)
        response.headers["cache-control"] = "no-store"
        return response

    @blueprint.delete("/<token_id>")
    @blueprint.response(204)
    def revoke_token(token_id: str) -> Response:
        """End one of the caller's tokens for good."""
        user = _person()
        tokens.revoke(token_id, user=user)
        return Response(status=204)

    return blueprint


def _person() -> EntityRef:
    """Return the user who asks. Raises `AuthenticationError` for nobody, `NotAllowedError` for a program."""
    actor = current_actor()
    actor.require("user")
    return EntityRef(actor.subject)
