"""The JSON Schemas of API tokens, of the records of who did what."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from portal.api.openapi.schemas import COUNT, TEXT, TIME, WORD, Schema, many, maybe, members, one_of, ref
from portal.model.audit import RESULTS
from portal.model.scopes import BUNDLES, SCOPED_PERMISSIONS

_TOKEN: Mapping[str, Schema] = MappingProxyType(
    {
        "id": WORD,
        "kind": one_of("personal", "service"),
        "owner": WORD,
        "description": TEXT,
        "scopes": many(WORD),
        "status": one_of("active", "expired", "revoked"),
        "createdBy": WORD,
        "createdAt": TIME,
        "expiresAt": TIME,
        "revokedAt": maybe(TIME),
        "lastUsedAt": maybe(TIME),
    }
)
#: Further components of the document, by name.
ACCESS_SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "TokenInput": members(
            {"scopes": many(one_of(*BUNDLES, *sorted(SCOPED_PERMISSIONS)), minItems=1, maxItems=100)},
            {
                "expires": {
                    "type": "string",
                    "description": "A span such as `30d` (that without), a day, or a time with its offset.",
                },
                "description": {"type": "string", "maxLength": 200},
            },
            additionalProperties=False,
        ),
        "Token": members(_TOKEN, description="An API token, all but itself."),
        "NewToken": members({**_TOKEN, "token": WORD}, description="An API token that was just made, with its text."),
        "Tokens": members({"items": many(ref("Token"))}),
        "AuditRecord": members(
            {
                "id": COUNT,
                "at": TIME,
                "actor": WORD,
                "tokenId": maybe(WORD),
                "action": WORD,
                "on": TEXT,
                "result": one_of(*RESULTS),
                "status": maybe({"type": "integer"}),
                "requestId": TEXT,
            },
            description="One thing that was done, or refused.",
        ),
        "AuditPage": members({"items": many(ref("AuditRecord")), "pageInfo": members({}, {"nextCursor": WORD})}),
    }
)
