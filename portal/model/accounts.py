"""The names that git hosts know the people of the catalog by, as annotations tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

#: Ends of annotations that name an account or team of a git host, whose name stands before.
#: Rule: `github.com/user-login`, `github.com/user-id`, `github.com/team-slug` of catalog-backend-module-github, and
#: `HOST/user-login`, `HOST/user_id`, `HOST/team-path` of catalog-backend-module-gitlab.
LOGIN, IDS, TEAMS = "user-login", ("user-id", "user_id"), ("team-slug", "team-path")
#: What people write themselves for a group of a host; no provider does.
_GROUPS = (*TEAMS, "group", "team")


def accounts_of(entity: Mapping[str, Any], host_types: Mapping[str, str]) -> dict[str, str]:
    """Return the name that a Group or User has at each type of git host; `host_types` maps hosts to their types.

    Where hosts of one type know them by different names, the host that comes first in `host_types` counts.
    """
    annotations = (entity.get("metadata") or {}).get("annotations") or {}
    is_group = str(entity.get("kind", "")).lower() == "group"
    names = {key.lower(): value for key, value in annotations.items() if isinstance(value, str)}
    found: dict[str, str] = {}
    for host, host_type in host_types.items():
        for end in _GROUPS if is_group else (LOGIN,):
            name = _name(names.get(f"{host}/{end}", ""), is_group=is_group)
            if name:
                found.setdefault(host_type, name)
    return found


def _name(text: str, *, is_group: bool) -> str:
    """Return the name that a text gives, which may be the url of the account: GitLab's provider writes that."""
    name = text.strip()
    if "://" in name:
        name = unquote(urlsplit(name).path).strip("/").removeprefix("groups/")
    name = name.removeprefix("@").strip("/")
    return name if is_group else name.rpartition("/")[2]
