"""The ownership graph's HTTP API."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import orjson
from flask import Response, request
from flask_smorest import Blueprint

from portal.api.catalog_queries import require_known, whole
from portal.errors import InputError
from portal.model.problem import Problem
from portal.model.ref import EntityRef
from portal.services.ownership import Direction, OwnershipService
from portal.store.graph import Node

_MOST_DEPTH = 100


def ownership_blueprint(service: OwnershipService) -> Blueprint:
    """Return the routes below /api/ownership."""
    blueprint = Blueprint("ownership", __name__, url_prefix="/api/ownership", description="Who owns, who is hit")

    @blueprint.get("/graph")
    def graph() -> Response:
        """Return what is around an entity: nodes and edges."""
        require_known(request.args, {"root", "depth", "direction", "relations"})
        if "root" not in request.args:
            raise InputError("request/query must have required property 'root'")
        depth = whole(request.args, "depth")
        if depth is not None and depth > _MOST_DEPTH:
            raise InputError(f"request/query/depth must be <= {_MOST_DEPTH}")
        direction = request.args.get("direction", "both")
        if direction not in {"in", "out", "both"}:
            raise InputError("request/query/direction must be in, out or both")
        types = _list(request.args.getlist("relations"))
        found = service.graph(
            EntityRef.parse(request.args["root"]),
            depth=1 if depth is None else depth,
            direction=cast(Direction, direction),
            types=types or None,
        )
        edges = [{"source": edge.source, "target": edge.target, "type": edge.type} for edge in found.edges]
        return _json({"nodes": [_node(node) for node in found.nodes], "edges": edges})

    @blueprint.get("/impact/<kind>/<namespace>/<name>")
    def impact(kind: str, namespace: str, name: str) -> Response:
        """Return everything that needs an entity, and the owners to tell."""
        require_known(request.args, ())
        found = service.impact(EntityRef.of(kind, namespace, name))
        items = [
            _node(node) | {"distance": dependent.distance, "path": dependent.path}
            for dependent, node in found.dependents
        ]
        owners = [{"ref": owner.ref, "count": owner.count, "distance": owner.distance} for owner in found.owners]
        return _json({"root": _node(found.root), "items": items, "owners": owners})

    @blueprint.get("/problems")
    def problems() -> Response:
        """Return the problems of all sources, and what the layers' rules find."""
        require_known(request.args, ())
        findings = [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "ref": finding.ref,
                "layer": finding.layer,
                "message": finding.message,
                "fix": finding.fix,
            }
            for finding in service.findings()
        ]
        return _json({"problems": [problem_json(problem) for problem in service.problems()], "findings": findings})

    return blueprint


def problem_json(problem: Problem) -> dict[str, Any]:
    """Return a problem as JSON has it."""
    return {
        "code": problem.code,
        "severity": problem.severity,
        "message": str(problem),
        "location": problem.location,
        "line": problem.span.line if problem.span else None,
        "column": problem.span.column if problem.span else None,
        "field": problem.field,
        "ref": problem.ref,
    }


def _node(node: Node) -> dict[str, Any]:
    return {"ref": node.ref, "kind": node.kind, "title": node.title, "layer": node.layer, "owner": node.owner}


def _list(texts: Collection[str]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value, default=str), mimetype="application/json")
