"""The web application: API, page, health."""

from __future__ import annotations

import json
import os
from pathlib import Path

from flask import Flask, Response, jsonify, request, send_from_directory

from service.inputs import Input, faults
from service.model import load

FOLDER = Path(__file__).resolve().parent
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(model_path: Path | None = None) -> Flask:
    """Return the application; its model is the file that MODEL_PATH names, where none is given."""
    described = json.loads((FOLDER / "service.json").read_text(encoding="utf-8"))
    inputs = [Input(**item) for item in described["inputs"]]
    model = load(model_path or Path(os.environ.get("MODEL_PATH", FOLDER / "model.json")))
    unknown = model.weights.keys() - {item.name for item in inputs}
    if unknown:
        raise ValueError(f"the model needs {', '.join(sorted(unknown))}, which service.json does not ask for")

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024

    @app.get("/")
    def page() -> Response:
        return app.send_static_file("index.html")

    @app.get("/api/service")
    def service() -> Response:
        return jsonify(described | {"version": model.version})

    @app.post("/api/predict")
    def predict() -> tuple[Response, int]:
        question = request.get_json(silent=True)
        found = faults(question, inputs)
        if found:
            return jsonify(faults=found), 400
        return jsonify({described["output"]: model.predict(question), "version": model.version}), 200

    @app.get("/healthz")
    def health() -> Response:
        return jsonify(status="ok", version=model.version)

    @app.get("/openapi.yaml")
    def openapi() -> Response:
        return send_from_directory(FOLDER, "openapi.yaml", mimetype="application/yaml")

    @app.after_request
    def guarded(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    return app
