"""The Location entity that stands for a registered or configured location itself, as Backstage makes one."""

from __future__ import annotations

import hashlib

from portal.ingest.compile import CompiledBatch, compile_entity
from portal.ingest.meaning import Annotate
from portal.model.entity import LOCATION_ANNOTATION, ORIGIN_ANNOTATION
from portal.model.kind import Kind
from portal.model.location import GENERATED_PREFIX


def generated_name(location: str) -> str:
    """Return the name of the Location entity that stands for a location. Rule: catalog-backend 4.0.0."""
    return f"generated-{hashlib.sha1(location.encode(), usedforsecurity=False).hexdigest()}"


def generated_file(location_type: str, target: str, *, kind: Kind, annotate: Annotate) -> CompiledBatch:
    """Return the batch of a file, which is nowhere, with a location's Location entity; `kind` is Location's."""
    location = f"{location_type}:{target}"
    declared = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Location",
        "metadata": {
            "name": generated_name(location),
            "annotations": {LOCATION_ANNOTATION: location, ORIGIN_ANNOTATION: location},
        },
        "spec": {"type": location_type, "target": target},
    }
    place = f"{GENERATED_PREFIX}{location}"
    return compile_entity(place, declared, kind, annotate=annotate)
