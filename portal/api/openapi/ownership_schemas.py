"""The JSON Schemas of the answers on owners."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from portal.api.openapi.schemas import (
    COUNT,
    NODE,
    SHARE,
    TEXT,
    TIME,
    WORD,
    Schema,
    many,
    maybe,
    members,
    one_of,
    ref,
)
from portal.model.reorg_plan import plan_schema

_EXEMPTION = {"reason": TEXT, "approver": TEXT, "expires": {"type": "string", "format": "date"}, "policy": TEXT}
_REACHED = {
    "total": COUNT,
    "items": many(ref("Reached")),
    "owners": many(members({"ref": TEXT, "count": COUNT, "distance": COUNT})),
}
#: What an answer about the past says beside: which past it is, what is not known of it.
_AT = members({"revision": COUNT, "recordedAt": maybe(TIME)})
AS_OF = {"at": _AT, "notKnown": many(TEXT)}

#: Further components of the document, by name.
OWNERSHIP_SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "Node": members(
            NODE,
            {"exists": {"type": "boolean", "const": False}},
            description="An entity, slim; `layer` is the effective one. `exists` is there where the entity is not.",
        ),
        "Graph": members(
            {
                "nodes": many(ref("Node")),
                "edges": many(members({"source": TEXT, "target": TEXT, "type": TEXT})),
                "truncated": {"type": "boolean"},
                "leftOut": COUNT,
                "layers": many(members({"ref": TEXT, "title": TEXT, "rank": {"type": "integer"}})),
                "way": many(TEXT),
            }
        ),
        "Reached": members(
            {**NODE, "distance": {"type": "integer", "minimum": 1}, "path": many(TEXT)},
            description="An entity that is reached from another, and one shortest path to it.",
        ),
        "Lineage": members(
            {
                "root": ref("Node"),
                "upstream": many(ref("Reached")),
                "downstream": many(ref("Reached")),
                "edges": many(members({"source": TEXT, "target": TEXT, "type": TEXT})),
            },
            description="What data flows into an entity, and what it flows into; edges run with the flow.",
        ),
        "Origin": members({"place": one_of("entity", "system", "layer"), "ref": TEXT}),
        "Accountability": members(
            {
                "entity": ref("Node"),
                "owner": maybe(members({"ref": TEXT, "exists": {"type": "boolean"}})),
                "coOwners": many(members({"ref": TEXT, "exists": {"type": "boolean"}})),
                "chain": many(members({**NODE, "distance": {"type": "integer", "minimum": 1}})),
                "people": many(members({"ref": TEXT, "title": TEXT, "through": TEXT})),
                "stewards": many(
                    members({"duty": TEXT, "ref": maybe(TEXT), "role": maybe(TEXT), "from": ref("Origin")})
                ),
                "contributors": many(members({"ref": TEXT, "from": ref("Origin")})),
                "problems": many(ref("Problem")),
                "findings": many(ref("Finding")),
            },
            AS_OF,
            description="Who answers for an entity.",
        ),
        "Portfolio": members(
            {
                "owner": ref("Node"),
                "groups": many(members({**NODE, "distance": {"type": "integer", "minimum": 1}, "count": COUNT})),
                "total": COUNT,
                "direct": COUNT,
                "counts": {
                    "type": "object",
                    "additionalProperties": {"type": "object", "additionalProperties": COUNT},
                },
                "items": many(ref("Node")),
                "problemsTotal": COUNT,
                "problems": many(ref("Problem")),
                "violations": members(
                    {"total": COUNT, "items": many(members({"rule": TEXT, "severity": TEXT, "count": COUNT}))}
                ),
                "findings": many(ref("Finding")),
            },
            AS_OF,
            description="What a group or user answers for, its lists in pages; counts by layer (empty: none) and kind.",
        ),
        "OwnershipHistory": members(
            {
                "ref": TEXT,
                "total": COUNT,
                "periods": many(
                    members(
                        {
                            "owner": maybe(TEXT),
                            "layer": maybe(TEXT),
                            "stewards": many(members({"ref": TEXT, "duty": TEXT})),
                            "changed": many(one_of("owner", "layer", "stewards")),
                            "from": ref("Version"),
                            "to": maybe(ref("Version")),
                        }
                    )
                ),
                "moves": many(
                    members(
                        {
                            "move": one_of("gained", "lost"),
                            "entity": TEXT,
                            "other": maybe(TEXT),
                            "version": ref("Version"),
                        }
                    )
                ),
            },
            description="Whose an entity was when; of a group or user what it gained and lost. The newest first.",
        ),
        "Handovers": members(
            {
                "from": _AT,
                "to": _AT,
                "total": COUNT,
                "counts": members({"handed-over": COUNT, "came": COUNT, "went": COUNT}),
                "items": many(
                    members(
                        {
                            "ref": TEXT,
                            "change": one_of("handed-over", "came", "went"),
                            "before": maybe(TEXT),
                            "after": maybe(TEXT),
                            "layer": maybe(TEXT),
                            "version": ref("Version"),
                        }
                    )
                ),
            },
            description="Entities whose accountable owner differs between two moments, the newest change first.",
        ),
        "Drift": members(
            {
                "entity": ref("Node"),
                "status": one_of("known", "unowned", "little", "unknown"),
                "reason": TEXT,
                "message": WORD,
                "share": maybe(SHARE),
                "weight": {"type": "number", "minimum": 0},
                "commits": COUNT,
                "botCommits": COUNT,
                "peopleCount": COUNT,
                "people": many(
                    members(
                        {
                            "ref": maybe(TEXT),
                            "name": WORD,
                            "hint": TEXT,
                            "share": SHARE,
                            "weight": {"type": "number", "minimum": 0},
                            "commits": {"type": "integer", "minimum": 1},
                            "lastAt": TIME,
                            "isOwner": {"type": "boolean"},
                            "groups": many(TEXT),
                        }
                    )
                ),
                "suggestion": maybe(members({"ref": TEXT, "share": SHARE})),
                "source": maybe(
                    members(
                        {
                            "remote": TEXT,
                            "branch": TEXT,
                            "commit": WORD,
                            "folder": TEXT,
                            "isShallow": {"type": "boolean"},
                            "isCut": {"type": "boolean"},
                        }
                    )
                ),
                "codeowners": maybe(
                    members(
                        {
                            "path": WORD,
                            "rules": many(
                                members(
                                    {
                                        "line": {"type": "integer", "minimum": 1},
                                        "pattern": TEXT,
                                        "section": maybe(TEXT),
                                        "owners": many(members({"name": WORD, "ref": maybe(TEXT)})),
                                    }
                                )
                            ),
                            "agrees": maybe({"type": "boolean"}),
                            "message": WORD,
                        }
                    )
                ),
            },
            description="How far the declared owner of an asset is from the people who commit to its folder.",
        ),
        "DriftPage": members(
            {
                "items": many(ref("Drift")),
                "total": COUNT,
                "counts": members(dict.fromkeys(("known", "unowned", "little", "unknown"), COUNT)),
                "disagreements": COUNT,
                "unread": many(members({"remote": TEXT, "reason": TEXT})),
                "halfLife": {"type": "number", "minimum": 1},
            },
            description="Assets, those whose owner's members do least of the work first.",
        ),
        "Impact": members(
            {"root": ref("Node"), **_REACHED},
            {
                "breaksTotal": COUNT,
                "breaks": many(
                    members(
                        {"ref": TEXT, "relation": TEXT, "field": maybe(TEXT), "why": TEXT},
                        description="What an entity would lose if the root were removed.",
                    )
                ),
            },
            description="`breaks` are told with `removed`.",
        ),
        "ChangeSet": members(
            {
                "since": COUNT,
                "revision": COUNT,
                "changedTotal": COUNT,
                "changed": many(members({**NODE, "change": one_of("added", "changed", "removed")})),
                **_REACHED,
            },
            description="What changed after a revision, and whom that reaches.",
        ),
        "Problem": members(
            {
                "code": WORD,
                "severity": one_of("error", "warning"),
                "message": TEXT,
                "location": TEXT,
                "line": maybe({"type": "integer", "minimum": 1}),
                "column": maybe({"type": "integer", "minimum": 1}),
                "field": TEXT,
                "found": TEXT,
                "expected": TEXT,
                "hint": TEXT,
                "ref": maybe(TEXT),
            },
            description="A fault in the input.",
        ),
        "Finding": members(
            {
                "rule": WORD,
                "severity": one_of("warn", "enforce", "exempt"),
                "ref": WORD,
                "layer": maybe(TEXT),
                "message": TEXT,
                "fix": TEXT,
                "related": many(TEXT),
                "exemption": maybe(members(_EXEMPTION)),
            },
            description="What a layer's rule finds on an entity; an exempt one does not count.",
        ),
        "Rules": members(
            {
                "rules": many(
                    members(
                        {
                            "id": WORD,
                            "explanation": TEXT,
                            "fix": TEXT,
                            "source": members({"type": one_of("distribution", "policy"), "name": WORD}),
                            "expression": maybe(TEXT),
                            "kinds": many(TEXT),
                            "severities": many(members({"layer": TEXT, "severity": one_of("off", "warn", "enforce")})),
                            "exemptions": many(
                                members(
                                    {
                                        "entity": TEXT,
                                        **_EXEMPTION,
                                        "standing": one_of("valid", "ended", "refused", "missing"),
                                    }
                                )
                            ),
                        }
                    )
                ),
                "unavailable": many(members({"name": TEXT, "distribution": TEXT, "reason": TEXT})),
            },
            description="The rules that there are, with those of distributions that cannot be used.",
        ),
        "Problems": members(
            {
                "revision": COUNT,
                "since": maybe(members({"revision": COUNT, "isExact": {"type": "boolean"}})),
                "total": COUNT,
                "counts": members(
                    {
                        name: {"type": "object", "additionalProperties": COUNT}
                        for name in ("rule", "layer", "owner", "severity")
                    },
                    additionalProperties=False,
                ),
                "problems": many(ref("Problem")),
                "findings": many(ref("Finding")),
            },
            description=(
                "What is wrong, a page of it, problems before findings. The counts are of all that was asked for; an "
                "empty layer or owner stands for none. `isExact` is false where some may be older than the revision."
            ),
        ),
        "ReorganisationPlan": {name: value for name, value in plan_schema().items() if name != "$schema"}
        | {"description": "The plan of a reorganisation; as YAML (`application/yaml`) too."},
        "WrittenReorganisation": {
            "allOf": [
                ref("Reorganisation"),
                members({"written": many(members({"repository": TEXT, "branch": WORD, "commit": WORD}))}),
            ]
        },
        "Reorganisation": members(
            {
                "reorganisation": WORD,
                "reason": TEXT,
                "branch": WORD,
                "created": many(TEXT),
                "closed": many(TEXT),
                "moved": many(members({"from": TEXT, "to": TEXT, "count": COUNT})),
                "changes": many(members({"ref": TEXT, "field": TEXT, "old": maybe(TEXT), "new": maybe(TEXT)})),
                "broken": many(ref("Finding")),
                "mended": many(ref("Finding")),
                "unbalanced": many(
                    members(
                        {
                            "ref": TEXT,
                            "lack": one_of("members", "owner-role", "needs"),
                            "about": maybe(TEXT),
                            "roles": many(TEXT),
                            "message": TEXT,
                            "isNew": {"type": "boolean"},
                        }
                    )
                ),
                "files": many(
                    members(
                        {"location": TEXT, "repository": TEXT, "path": TEXT, "diff": TEXT, "refusal": maybe(TEXT)},
                    )
                ),
            },
            description="What a reorganisation would change; `refusal` says why a file cannot be written.",
        ),
    }
)
