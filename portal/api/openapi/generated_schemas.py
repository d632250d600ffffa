"""The JSON Schemas of the answers on what templates have generated."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from portal.api.openapi.schemas import ANY_OBJECT, COUNT, TEXT, WORD, Schema, many, maybe, members, one_of, ref

#: Further components of the document, by name.
GENERATED_SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "GeneratedList": members(
            {
                "templates": many(
                    members(
                        {"template": TEXT, "commit": maybe(TEXT), "changed": maybe(TEXT), "note": maybe(TEXT)},
                        description="A template: where its branch stands, the last commit that changed its folder.",
                    )
                ),
                "items": many(ref("Generated")),
            }
        ),
        "Generated": members(
            {
                "template": TEXT,
                "entities": many(TEXT),
                "repository": maybe(TEXT),
                "branch": maybe(TEXT),
                "commit": maybe(TEXT),
                "behind": maybe(COUNT),
                "note": maybe(TEXT),
            },
            description="A repository that a template has generated at a commit, and how many of its changes it lacks.",
        ),
        "UpgradeInput": members(
            {"entityRef": WORD},
            {
                "values": ANY_OBJECT | {"description": "Values for parameters that are new, or to be changed."},
                "dryRun": {"type": "boolean", "description": "Nothing is pushed."},
            },
            additionalProperties=False,
        ),
        "Upgrade": members(
            {
                "repository": TEXT,
                "status": one_of("current", "previewed", "pushed"),
                "template": maybe(TEXT),
                "from": maybe(TEXT),
                "to": maybe(TEXT),
                "branch": maybe(TEXT),
                "commit": maybe(TEXT),
                "files": many(TEXT),
                "conflicts": many(TEXT),
                "diff": TEXT,
                "reason": maybe(TEXT),
            }
        ),
    }
)
