"""Whoever follows all links of a catalog that means harm finds useful pages, in which nothing of it runs."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import yaml
from outlines import outline
from repositories import MakeRepository

from portal.app import build
from portal.app.wsgi import create_app
from portal.config import load_settings

BAD = "\"'><x-bad onclick=alert(1)></x-bad><script>alert(1)</script>&lt; ${{ 1 }} {{ 1 }} \u202e"
LINK = "javascript:alert(1)"
#: What names may be made of.
NAME = "a.B-c_9"
_MOST = 400


def document(kind: str, name: str, spec: dict[str, object], *, version: str = "backstage.io/v1alpha1") -> str:
    metadata = {
        "name": name,
        "title": BAD,
        "description": f"{BAD}\n\n[click]({LINK}) ![image]({LINK})\n\n" + "very long " * 3_000,
        "links": [{"url": LINK, "title": BAD}, {"url": "https://example.com", "title": BAD}],
        "annotations": {"example.com/x": BAD, "backstage.io/view-url": LINK, "backstage.io/edit-url": LINK},
        "labels": {"example.com/y": "v"},
        "tags": ["c++", "a-b"],
    }
    return yaml.safe_dump({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


def hostile() -> str:
    own = "portal/v1alpha1"
    part = {"lifecycle": BAD, "type": BAD, "system": "a.B-c_9"}
    return "---\n".join(
        [
            document("Group", NAME, {"type": BAD, "parent": "loop", "children": [], "profile": {"email": BAD}}),
            document("Group", "loop", {"type": "team", "parent": NAME, "children": []}),
            document(
                "User", NAME, {"memberOf": [NAME], "profile": {"displayName": BAD, "email": BAD, "picture": LINK}}
            ),
            document("Domain", NAME, {"owner": NAME}),
            document("System", NAME, {"owner": "nobody-there", "domain": "not-there"}),
            document("Component", NAME, part | {"owner": NAME, "dependsOn": ["component:loops", "resource:not-there"]}),
            document("Component", "loops", part | {"owner": "user:not-there", "dependsOn": [f"component:{NAME}"]}),
            document("API", NAME, part | {"owner": NAME, "definition": BAD}),
            document(
                "API",
                "open",
                part | {"owner": NAME, "type": "openapi", "definition": f"openapi: 3.1.0\ninfo: {{title: {BAD!r}}}"},
            ),
            document(
                "API", "graph", part | {"owner": NAME, "type": "graphql", "definition": f"# {BAD}\ntype Q {{ a: Q }}"}
            ),
            document(
                "Dataset", NAME, {"owner": NAME, "type": BAD, "lifecycle": BAD, "derivedFrom": ["loops"]}, version=own
            ),
            document(
                "Dataset", "loops", {"owner": NAME, "type": "x", "lifecycle": "x", "derivedFrom": [NAME]}, version=own
            ),
            document(
                "Project",
                NAME,
                {
                    "owner": NAME,
                    "lifecycle": BAD,
                    "goal": BAD,
                    "kpis": [{"name": BAD, "unit": BAD}],
                    "needs": [NAME, "x"],
                    "layer": "top",
                },
                version=own,
            ),
            document("Role", NAME, {"responsibilities": [BAD]}, version=own),
            document("Layer", "top", {"rank": 1, "owner": NAME, "ownerRoles": [NAME, "not-there"]}, version=own),
            document(
                "Template",
                NAME,
                {
                    "owner": NAME,
                    "type": BAD,
                    "parameters": [
                        {"title": BAD, "properties": {"x": {"title": BAD, "type": "string", "default": BAD}}}
                    ],
                    "steps": [{"id": "a", "name": BAD, "action": "debug:log", "input": {"message": BAD}}],
                },
                version="scaffolder.backstage.io/v1beta3",
            ),
        ]
    )


def test_nothing_runs_and_nothing_breaks_wherever_links_lead(tmp_path: Path, repo: MakeRepository) -> None:
    made = repo({"catalog-info.yaml": hostile()})
    with build(load_settings(environment={}, overrides={"data": str(tmp_path / "data")})) as portal:
        portal.migrate()
        report = portal.ingest([("url", made.url)])
        assert [str(problem) for problem in report.problems] == []
        client = create_app(portal).test_client()
        waiting, seen, faults = ["/"], {"/"}, []
        while waiting and len(seen) < _MOST:
            path = waiting.pop(0)
            answer = client.get(path)
            if answer.status_code >= 500 or (answer.status_code >= 400 and answer.status_code != 404):
                faults.append(f"{answer.status_code} {path}")
            if answer.mimetype != "text/html":
                continue
            page = answer.get_data(as_text=True)
            if "Traceback" in page or "x-bad" in {tag for tag, _ in outline(page)}:
                faults.append(f"hostile {path}")
            for tag, attributes in outline(page):
                if tag == "script" and not attributes.get("src") and attributes.get("type") != "application/json":
                    faults.append(f"script {path}")
                faults += [f"{name} {path}" for name in attributes if re.match("on|style$", name)]
                target = urljoin(f"http://localhost{path}", attributes.get("href", ""))
                if target.startswith("javascript:"):
                    faults.append(f"link {path}")
                parts = urlsplit(target)
                there = parts.path + (f"?{parts.query}" if parts.query else "")
                if (
                    tag == "a"
                    and parts.netloc == "localhost"
                    and there not in seen
                    and not parts.path.startswith(("/api/", "/language/"))
                ):
                    seen.add(there)
                    waiting.append(there)
        assert faults == []
        kinds = {path.split("/")[3] for path in seen if path.startswith("/catalog/default/")}
        assert {"component", "dataset", "api", "project", "template", "layer", "system"} <= kinds
        assert {"/owners/group/default/a.b-c_9", "/problems", "/layers", "/graph", "/create"} <= {
            p.split("?")[0] for p in seen
        }
