"""What a server imports before its first answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from portal.app.portal import build
from portal.app.wsgi import create_app
from portal.config import load_settings
import portal.cli.serve

settings = load_settings(environment={"PORTAL_DATA": sys.argv[1]})
with build(settings, is_server=True) as portal:
    portal.migrate()
    portal.sources.add(portal.default_targets())
    answered = create_app(portal, is_whole=False).test_client().get("/api/catalog/entities/by-query")
    assert answered.status_code == 200, answered.text
    services = {f"portal.services.{name}" for name in ("locations", "ownership", "refresh", "reorg", "scaffolding")}
    others = {"dbos", "flask_babel", "flask_wtf", "httpx", "prometheus_client", "rich"}
    others |= {"portal.app.api", "portal.app.pages", "portal.ingest.compile", "portal.vcs.mirror"}
    print(sorted((services | others) & sys.modules.keys()))
"""


def test_nothing_is_imported_that_only_work_beside_requests_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
