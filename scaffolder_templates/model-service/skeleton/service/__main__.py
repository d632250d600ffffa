"""Serves on this machine, to try it: `python -m service`."""

from __future__ import annotations

import json

from service.app import FOLDER, create_app

if __name__ == "__main__":
    described = json.loads((FOLDER / "service.json").read_text(encoding="utf-8"))
    create_app().run(host="127.0.0.1", port=described["port"])
