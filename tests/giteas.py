"""A Gitea on this machine.

What is asked and answered is checked against Gitea's own OpenAPI description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from forge_servers import Answer, Asked, Forge
from giteas_description import body_faults, operations

#: What Gitea answers and does not describe: `CreateUserRepo` of its `routers/api/v1/repo/repo.go`.
_UNTOLD: Mapping[str, frozenset[int]] = {"POST /orgs/science/repos": frozenset({409})}


@dataclass
class Gitea(Forge):
    """A Gitea with the organisation `science`, its teams, and some users."""

    api: ClassVar[str] = "/api/v1"
    teams: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {
            "data": {"id": 1, "name": "data", "permission": "write"},
            "Owners": {"id": 2, "name": "Owners", "permission": "owner"},
            "readers": {"id": 3, "name": "readers", "permission": "none", "units_map": {"repo.code": "read"}},
            "bosses": {"id": 4, "name": "bosses", "permission": "admin"},
        }
    )

    routes: ClassVar[Sequence[tuple[str, str]]] = (
        (r"GET /user", "_me"),
        (r"GET /users/([^/]+)", "_user"),
        (r"GET /orgs/([^/]+)", "_organisation"),
        (r"GET /orgs/([^/]+)/teams", "_organisation_teams"),
        (r"POST /orgs/([^/]+)/repos", "_make"),
        (r"POST /user/repos", "_make"),
        (r"(?:GET|PATCH) /repos/([^/]+/[^/]+)", "_repository"),
        (r"PUT /repos/([^/]+/[^/]+)/topics", "_topics"),
        (r"(?:GET|PUT) /repos/([^/]+/[^/]+)/teams/([^/]+)", "_team"),
        (r"PUT /repos/([^/]+/[^/]+)/collaborators/([^/]+)", "_collaborator"),
        (r"(?:GET|POST|PATCH) /repos/([^/]+/[^/]+)/branch_protections(?:/([^/]+))?", "_protection"),
        (r"(?:GET|POST) /repos/([^/]+/[^/]+)/pulls", "_pulls"),
        (r"GET /repos/([^/]+/[^/]+)/pulls/([^/]+)/([^/]+)", "_pull"),
        (r"POST /repos/([^/]+/[^/]+)/pulls/(\d+)/requested_reviewers", "_reviewers"),
    )

    def check(self, asked: Asked, status: int | None) -> None:
        """Note what Gitea's description does not know, or knows otherwise."""
        found = next((item for item in operations()[asked.method] if item.path.fullmatch(asked.path)), None)
        if found is None:
            self.faults.append(f"{asked}: is nothing that Gitea describes")
            return
        self.faults += [f"{asked}: knows no parameter {name}" for name in asked.query if name not in found.queries]
        if asked.body is not None:
            faults = body_faults(found.body, asked.body) if found.body else ["has no body"]
            self.faults += [f"{asked}: {fault}" for fault in faults]
        if status is not None and status not in found.statuses | _UNTOLD.get(str(asked), frozenset()):
            self.faults.append(f"{asked}: is not answered by {status}")

    def add(self, path: str, /, **more: Any) -> dict[str, Any]:
        """Make a repository."""
        self.make_bare(path)
        owner, _, name = path.partition("/")
        made = {"full_name": path, "name": name, "owner": {"login": owner}, "default_branch": "main", "description": ""}
        self.repositories[path.lower()] = made | more
        return self.repositories[path.lower()]

    def _me(self, asked: Asked) -> Answer:
        return 200, {"id": 1, "login": self.logins[asked.token]}

    def _user(self, _asked: Asked, name: str) -> Answer:
        return (200, {"login": name}) if name in self.users else (404, {"message": "user does not exist"})

    def _organisation(self, _asked: Asked, name: str) -> Answer:
        return (200, {"username": name}) if name == "science" else (404, {"message": "Not Found"})

    def _organisation_teams(self, _asked: Asked, _name: str) -> Answer:
        return 200, list(self.teams.values())

    def _make(self, asked: Asked, owner: str = "") -> Answer:
        path = f"{owner or self.logins[asked.token]}/{asked.body['name']}"
        if path.lower() in self.repositories:
            return 409, {"message": "The repository with the same name already exists."}
        return 201, self.add(path, **{name: value for name, value in asked.body.items() if name != "name"})

    def _repository(self, asked: Asked, path: str) -> Answer:
        found = self.repositories.get(path.lower())
        if found is None:
            return 404, {"message": "Not Found"}
        found.update(asked.body or {})
        return 200, found

    def _topics(self, asked: Asked, path: str) -> Answer:
        wrong = [name for name in asked.body["topics"] if not re.fullmatch(r"[a-z0-9][-.a-z0-9]{0,34}", name)]
        if wrong:
            return 422, {"invalidTopics": wrong, "message": "Topic names are invalid"}
        self.kept["topics"] = asked.body["topics"]
        return 204, None

    def _team(self, asked: Asked, path: str, name: str) -> Answer:
        added = self.kept.setdefault("teams", [])
        if asked.method == "GET":
            return (200, self.teams[name]) if name in added else (404, {"message": "Not Found"})
        if name in added:
            return 422, {"message": f"team '{name}' is already added to repo"}
        added.append(name)
        return 204, None

    def _collaborator(self, asked: Asked, path: str, name: str) -> Answer:
        self.kept.setdefault("collaborators", {})[name] = asked.body["permission"]
        return 204, None

    def _protection(self, asked: Asked, path: str, name: str = "") -> Answer:
        rules = self.kept.setdefault("protections", {})
        if name and name not in rules:
            return 404, {"message": "Not Found"}
        if asked.method == "POST" and asked.body["rule_name"] in rules:
            return 403, {"message": "Branch protection already exist"}
        rule = rules.setdefault(name or asked.body["rule_name"], {})
        rule.update(asked.body or {})
        return 201 if asked.method == "POST" else 200, rule

    def _pulls(self, asked: Asked, path: str) -> Answer:
        if asked.method == "GET":
            return 200, [self._shown(item) for item in self.requests if item["path"] == path]
        for branch in (asked.body["head"], asked.body["base"]):
            if branch not in self.branches(path):
                return 404, {"message": f"branch does not exist: {branch}"}
        if any((item["head"], item["base"]) == (asked.body["head"], asked.body["base"]) for item in self.requests):
            return 409, {"message": "pull request already exists for these targets"}
        self.requests.append({**asked.body, "number": len(self.requests) + 1, "state": "open", "path": path})
        return 201, self._shown(self.requests[-1])

    def _pull(self, _asked: Asked, path: str, base: str, head: str) -> Answer:
        found = [item for item in self.requests if (item["path"], item["base"], item["head"]) == (path, base, head)]
        return (200, self._shown(found[0])) if found else (404, {"message": "Not Found"})

    def _shown(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **item,
            "html_url": f"{self.url}/{item['path']}/pulls/{item['number']}",
            "head": {"ref": item["head"], "sha": self.tip(item["path"], item["head"])},
            "base": {"ref": item["base"]},
        }

    def _reviewers(self, asked: Asked, path: str, number: str) -> Answer:
        self.kept["reviewers"] = asked.body
        return 201, []
