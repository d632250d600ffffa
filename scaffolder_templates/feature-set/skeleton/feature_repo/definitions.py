"""Tells Feast what features.json describes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Bool, Float32, Float64, Int64, String

FOLDER = Path(__file__).resolve().parent
TYPES = {"Bool": Bool, "Float32": Float32, "Float64": Float64, "Int64": Int64, "String": String}
KEY_TYPES = {"Int64": ValueType.INT64, "String": ValueType.STRING}

DESCRIBED: dict[str, Any] = json.loads((FOLDER / "features.json").read_text(encoding="utf-8"))

key = Entity(
    name=DESCRIBED["key"]["name"],
    join_keys=[DESCRIBED["key"]["name"]],
    value_type=KEY_TYPES[DESCRIBED["key"]["type"]],
)

source = FileSource(
    name=f"{DESCRIBED['name']}_source",
    path=str(FOLDER / DESCRIBED["source"]),
    timestamp_field=DESCRIBED["timestamp"],
)

view = FeatureView(
    name=DESCRIBED["name"],
    description=DESCRIBED["description"],
    owner=DESCRIBED["owner"],
    entities=[key],
    ttl=timedelta(days=DESCRIBED["daysValid"]),
    schema=[
        Field(name=key.join_key, dtype=TYPES[DESCRIBED["key"]["type"]]),
        *(
            Field(name=feature["name"], dtype=TYPES[feature["type"]], description=feature.get("description", ""))
            for feature in DESCRIBED["features"]
        ),
    ],
    online=DESCRIBED["isOnline"],
    source=source,
)

#: What models ask for: a model names this service, so that it is seen who uses which features.
service = FeatureService(name=f"{DESCRIBED['name']}_v1", features=[view], owner=DESCRIBED["owner"])
