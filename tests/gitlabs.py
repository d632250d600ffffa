"""A GitLab on this machine.

The attributes of requests are checked against those that `python-gitlab` declares of each kind of object: the client
library that follows GitLab's documentation of its REST API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gitlab.v4.objects as declared
from forge_servers import Answer, Asked, Forge

#: What python-gitlab declares of the body of each request; tuples stand for those it takes as plain arguments.
_BODIES: Mapping[str, Any] = {
    r"POST /projects": declared.ProjectManager._create_attrs,
    r"PUT /projects/\d+": declared.ProjectManager._update_attrs,
    r"POST /projects/[^/]+/repository/branches": declared.ProjectBranchManager._create_attrs,
    r"POST /projects/\d+/protected_branches": declared.ProjectProtectedBranchManager._create_attrs,
    r"POST /projects/\d+/variables": declared.ProjectVariableManager._create_attrs,
    r"PUT /projects/\d+/variables/\w+": declared.ProjectVariableManager._update_attrs,
    r"POST /projects/\d+/members": declared.ProjectMemberManager._create_attrs,
    r"PUT /projects/\d+/members/\d+": declared.ProjectMemberManager._update_attrs,
    r"POST /projects/\d+/share": ("group_id", "group_access", "expires_at"),
    r"POST /projects/[^/]+/merge_requests": declared.ProjectMergeRequestManager._create_attrs,
    r"PUT /projects/[^/]+/merge_requests/\d+": declared.ProjectMergeRequestManager._update_attrs,
    r"PUT /projects/[^/]+/merge_requests/\d+/merge": (
        "merge_commit_message",
        "should_remove_source_branch",
        "merge_when_pipeline_succeeds",
        "auto_merge",  # of GitLab 17.11; python-gitlab takes it as it is given
    ),
}


@dataclass
class GitLab(Forge):
    """A GitLab with the group `science`, its subgroup `science/data`, the group `ops`, and some users."""

    api: ClassVar[str] = "/api/v4"
    groups: dict[str, int] = field(default_factory=lambda: {"science": 10, "science/data": 11, "ops": 12})
    status: str = "mergeable"
    inherited: dict[int, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)

    routes: ClassVar[Sequence[tuple[str, str]]] = (
        (r"GET /user", "_me"),
        (r"GET /users", "_found_users"),
        (r"GET /namespaces/([^/]+)", "_namespace"),
        (r"GET /groups/([^/]+)", "_group"),
        (r"POST /projects", "_make"),
        (r"(?:GET|PUT) /projects/([^/]+)", "_project"),
        (r"(?:GET|POST) /projects/([^/]+)/repository/branches(?:/([^/]+))?", "_branch"),
        (r"POST /projects/([^/]+)/protected_branches", "_protect"),
        (r"(?:GET|POST|PUT) /projects/([^/]+)/variables(?:/([^/]+))?", "_variable"),
        (r"(?:GET|POST|PUT) /projects/([^/]+)/members(?:/([^/]+))?", "_member"),
        (r"POST /projects/([^/]+)/share", "_share"),
        (r"(?:GET|POST) /projects/([^/]+)/merge_requests", "_merge_requests"),
        (r"(?:GET|PUT) /projects/([^/]+)/merge_requests/(\d+)", "_merge_request"),
        (r"PUT /projects/([^/]+)/merge_requests/(\d+)/merge", "_merge"),
        (r"GET /projects/([^/]+)/merge_requests/(\d+)/approval_rules", "_rules"),
    )

    def check(self, asked: Asked, status: int | None) -> None:
        """Note attributes that python-gitlab does not know, and those that it misses."""
        for pattern, attributes in _BODIES.items():
            if not re.fullmatch(pattern, str(asked)):
                continue
            known = (
                attributes
                if isinstance(attributes, tuple)
                else (*attributes.required, *attributes.optional, *attributes.exclusive)
            )
            required = () if isinstance(attributes, tuple) else attributes.required
            body = asked.body or {}
            # Names of the path, such as a variable's key, are attributes of python-gitlab's objects too.
            missing = [] if asked.method == "PUT" else [name for name in required if name not in body]
            wrong = [name for name in body if known and name not in known]
            if missing or wrong:
                self.faults.append(f"{asked}: without {missing}, with {wrong}")
            return
        if asked.method != "GET":
            self.faults.append(f"{asked}: is nothing that python-gitlab knows")

    def add(self, path: str, /, **more: Any) -> dict[str, Any]:
        """Make a project."""
        self.make_bare(path)
        made = {
            "id": 100 + len(self.repositories),
            "path_with_namespace": path,
            "default_branch": "main",
            "description": None,
            "http_url_to_repo": f"{self.url}/{path}.git",
            **more,
        }
        self.repositories[path] = made
        return made

    def find(self, name: str) -> dict[str, Any] | None:
        """Return a project by its number or path."""
        found = (item for item in self.repositories.values() if name in {str(item["id"]), item["path_with_namespace"]})
        return next(found, None)

    def note(self, project: str, what: str, value: Any) -> None:
        """Keep what was asked of a project."""
        found = self.find(project)
        assert found is not None
        self.kept.setdefault(found["path_with_namespace"], {}).setdefault(what, []).append(value)

    def _me(self, asked: Asked) -> Answer:
        name = self.logins[asked.token]
        return 200, {"id": self.users[name], "username": name}

    def _found_users(self, asked: Asked) -> Answer:
        name = asked.query["username"]
        return 200, [{"id": self.users[name], "username": name}] if name in self.users else []

    def _namespace(self, _asked: Asked, path: str) -> Answer:
        known = {**self.groups, **{name: 20 + number for name, number in self.users.items()}}
        return (200, {"id": known[path], "full_path": path}) if path in known else (404, {"message": "404 Not Found"})

    def _group(self, _asked: Asked, path: str) -> Answer:
        found = path in self.groups
        return (200, {"id": self.groups[path], "full_path": path}) if found else (404, {"message": "404 Not Found"})

    def _make(self, asked: Asked) -> Answer:
        body = dict(asked.body)
        owner = next(name for name, number in self.groups.items() if number == body["namespace_id"])
        path = f"{owner}/{body['path']}"
        if path in self.repositories:
            return 400, {"message": {"path": ["has already been taken"], "name": ["has already been taken"]}}
        return 201, self.add(path, **body)

    def _project(self, asked: Asked, name: str) -> Answer:
        found = self.find(self.moved.get(name, name))
        if found is None:
            return 404, {"message": "404 Project Not Found"}
        if asked.method == "PUT":
            found.update(asked.body)
        return 200, found

    def _branch(self, asked: Asked, name: str, branch: str = "") -> Answer:
        path = self.find(name)["path_with_namespace"]
        if asked.method == "GET":
            return (
                (200, {"name": branch}) if branch in self.branches(path) else (404, {"message": "404 Branch Not Found"})
            )
        if asked.body["ref"] not in self.branches(path):
            return 400, {"message": "Invalid reference name: " + asked.body["ref"]}
        self.git(path, "branch", asked.body["branch"], asked.body["ref"])
        return 201, {"name": asked.body["branch"]}

    def _protect(self, asked: Asked, name: str) -> Answer:
        path = self.find(name)["path_with_namespace"]
        if asked.body["name"] in self.kept.get(path, {}).get("protected", []):
            return 409, {"message": f"Protected branch '{asked.body['name']}' already exists"}
        self.note(name, "protected", asked.body["name"])
        return 201, {"name": asked.body["name"]}

    def _variable(self, asked: Asked, name: str, key: str = "") -> Answer:
        path = self.find(name)["path_with_namespace"]
        there = self.kept.setdefault(path, {}).setdefault("variables", {})
        scope = asked.query.get("filter[environment_scope]") or (asked.body or {}).get("environment_scope", "*")
        known = (key or asked.body["key"], scope) in there
        if asked.method == "POST" and known:
            return 400, {"message": {"key": [f"({asked.body['key']}) has already been taken"]}}
        if asked.method != "POST" and not known:
            return 404, {"message": "404 Variable Not Found"}
        if asked.body:
            there[key or asked.body["key"], scope] = asked.body["value"]
        return 201 if asked.method == "POST" else 200, {"key": key}

    def _member(self, asked: Asked, name: str, user: str = "") -> Answer:
        path = self.find(name)["path_with_namespace"]
        members = self.kept.setdefault(path, {}).setdefault("members", {})
        number = int(user or asked.body["user_id"])
        if asked.method == "GET":
            return 200, {"id": number, "access_level": members[number]}
        if asked.method == "POST" and number in self.inherited:
            told = (
                f"should be greater than or equal to {self.inherited[number]} inherited membership from group Science"
            )
            return 400, {"message": {"access_level": [told]}}
        if asked.method == "POST" and number in members:
            return 409, {"message": "Member already exists"}
        members[number] = asked.body["access_level"]
        return 201 if asked.method == "POST" else 200, {"id": number}

    def _share(self, asked: Asked, name: str) -> Answer:
        path = self.find(name)["path_with_namespace"]
        shared = self.kept.setdefault(path, {}).setdefault("shared", {})
        if asked.body["group_id"] in shared:
            return 409, {"message": "already shared with this group"}
        shared[asked.body["group_id"]] = asked.body["group_access"]
        return 201, {"id": 1}

    def _merge_requests(self, asked: Asked, name: str) -> Answer:
        path = self.find(name)["path_with_namespace"]
        if asked.method == "GET":
            wanted = (path, asked.query["source_branch"], asked.query["target_branch"])
            mine = [
                item for item in self.requests if (item["path"], item["source_branch"], item["target_branch"]) == wanted
            ]
            return 200, [item | {"sha": self.tip(path, item["source_branch"])} for item in mine]
        for branch in (asked.body["source_branch"], asked.body["target_branch"]):
            if branch not in self.branches(path):
                return 400, {"message": {"validate_branches": [f"{branch} does not exist"]}}
        number = len(self.requests) + 1
        url = f"{self.url}/{path}/-/merge_requests/{number}"
        made = {**asked.body, "iid": number, "state": "opened", "web_url": url, "path": path}
        self.requests.append(made)
        return 201, made

    def _merge_request(self, asked: Asked, name: str, number: str) -> Answer:
        found = self.requests[int(number) - 1]
        found.update(asked.body or {})
        return 200, found | {"detailed_merge_status": self.status}

    def _merge(self, asked: Asked, name: str, number: str) -> Answer:
        self.note(name, "merged", asked.body)
        return 200, self.requests[int(number) - 1]

    def _rules(self, _asked: Asked, _name: str, _number: str) -> Answer:
        return 200, [{"id": 1, "eligible_approvers": [{"id": 2}, {"id": 3}]}, {"id": 2}]
