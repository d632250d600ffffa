"""The JSON Schemas of the answers on layers as a whole, with the balance of teams in them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from portal.api.openapi.ownership_schemas import AS_OF
from portal.api.openapi.schemas import COUNT, NODE, TEXT, WORD, Schema, many, maybe, members, one_of, ref

_FLAG: Schema = {"type": "boolean"}
#: One of a team; `ways` say how one comes to it.
_MATE = {"ref": TEXT, "title": TEXT, "ways": many(TEXT)}

#: Further components of the document, by name.
LAYER_SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "LayerReport": members(
            {
                "layer": maybe(TEXT),
                "title": TEXT,
                "rank": maybe({"type": "integer"}),
                "entities": members({"total": COUNT, "kinds": {"type": "object", "additionalProperties": COUNT}}),
                "owners": members(
                    {"total": COUNT, "items": many(members({"ref": TEXT, "count": COUNT, "exists": _FLAG}))}
                ),
                "coverage": members(
                    {
                        "percent": maybe({"type": "number", "minimum": 0, "maximum": 100}),
                        "owned": COUNT,
                        "total": COUNT,
                    },
                    description="How much has an owner who is in the catalog; rounded down, so that 100 means all.",
                ),
                "violations": members(
                    {
                        "total": COUNT,
                        "items": many(members({"rule": WORD, "severity": one_of("warn", "enforce"), "count": COUNT})),
                    }
                ),
                "reuse": maybe(
                    members(
                        {
                            "total": COUNT,
                            "used": COUNT,
                            "items": many(
                                members({**NODE, "projects": COUNT, "projectRefs": many(TEXT), "dependents": COUNT})
                            ),
                        },
                        description="What something depends on, what most projects use first; `used` by a project.",
                    )
                ),
                "unused": members({"total": COUNT, "items": many(ref("Node"))}),
            },
            description="How a layer stands; null for what stands in none. The highest layer is not there for reuse.",
        ),
        "Duplicate": members(
            {
                "alike": {"type": "integer", "minimum": 0, "maximum": 100},
                "reason": TEXT,
                "items": many(members({**NODE, "homes": many(TEXT)})),
                "share": TEXT,
                "advice": TEXT,
            },
            description="Two assets of different projects, systems or owners that are nearly the same.",
        ),
        "Layers": members(
            {
                "layers": many(ref("LayerReport")),
                "duplicates": members({"total": COUNT, "items": many(ref("Duplicate"))}),
            },
            AS_OF,
            description="The layers, the highest first; each list is a page of all that its `total` counts.",
        ),
        "Balance": members(
            {
                "entity": ref("Node"),
                "layers": many(TEXT),
                "balanced": _FLAG,
                "summary": TEXT,
                "missing": many(TEXT),
                "notes": many(TEXT),
                "roles": many(
                    members(
                        {
                            "ref": TEXT,
                            "title": TEXT,
                            "necessity": one_of("required", "one-of", "usual"),
                            "from": many(members({"place": one_of("entity", "layer"), "ref": TEXT, "why": TEXT})),
                            "holders": many(members({**_MATE, "lent": _FLAG, "heldBy": TEXT})),
                            "single": _FLAG,
                            "missing": _FLAG,
                            "candidates": members({"total": COUNT, "items": many(TEXT)}),
                        }
                    )
                ),
                "lent": many(members({**_MATE, "roles": many(members({"ref": TEXT, "layers": many(TEXT)}))})),
                "team": many(members({**_MATE, "lent": _FLAG, "roles": many(TEXT)})),
            },
            description="The roles that are needed against those that the team holds; what is missing, in sentences.",
        ),
    }
)
