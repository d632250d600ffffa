"""Webhooks as git hosts document them: the members that count, under the names and headers of each host."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from typing import Any

import orjson

SECRET = "It's a Secret to Everybody"
HOSTS = ("github", "gitlab", "gitea", "bitbucketCloud")
EVENT_HEADERS = {
    "github": "X-GitHub-Event",
    "gitlab": "X-Gitlab-Event",
    "gitea": "X-Gitea-Event",
    "bitbucketCloud": "X-Event-Key",
}
ID_HEADERS = {
    "github": "X-GitHub-Delivery",
    "gitlab": "Idempotency-Key",
    "gitea": "X-Gitea-Delivery",
    "bitbucketCloud": "X-Request-UUID",
}
_NOTHING = "0" * 40
_BEFORE, _AFTER = "95790bf891e76fee5e1747ab589903a6a1f80f22", "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"


@dataclass(frozen=True)
class Sent:
    """A request of a webhook."""

    headers: dict[str, str]
    body: bytes


def signed(host: str, event: str, payload: Any, *, secret: str = SECRET, delivery: str = "") -> Sent:
    """Return a payload as a host sends it, under a new delivery id unless one is given."""
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        EVENT_HEADERS[host]: event,
        ID_HEADERS[host]: delivery or str(uuid.uuid4()),
    }
    if host == "github":
        headers |= {"X-Hub-Signature": "sha1=0", "X-Hub-Signature-256": f"sha256={digest}"}
    elif host == "gitlab":
        headers |= {"X-Gitlab-Token": secret}
    elif host == "gitea":
        headers |= {"X-Gitea-Signature": digest, "X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Event": event}
    else:
        headers |= {"X-Hub-Signature": f"sha256={digest}", "X-Attempt-Number": "1", "X-Hook-UUID": str(uuid.uuid4())}
    return Sent(headers, body)


def signed_by_token(payload: Any, *, token: str, now: float, delivery: str = "a") -> Sent:
    """Return a payload as GitLab sends it where the webhook has a signing token (`whsec_…`)."""
    body = orjson.dumps(payload)
    key = base64.b64decode(token.removeprefix("whsec_"))
    digest = hmac.new(key, f"{delivery}.{int(now)}.".encode() + body, hashlib.sha256).digest()
    return Sent(
        {
            "Content-Type": "application/json",
            "X-Gitlab-Event": "Push Hook",
            "Idempotency-Key": delivery,
            "webhook-id": delivery,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        },
        body,
    )


def pushed(
    host: str, url: str, *, branch: str = "main", tag: str = "", default: str = "main", gone: bool = False
) -> tuple[str, Any]:
    """Return (event, payload) of a push to the repository at an http(s) url, or of a branch or tag that is deleted."""
    ref = f"refs/tags/{tag}" if tag else f"refs/heads/{branch}"
    after = _NOTHING if gone else _AFTER
    place = url.partition("://")[2]
    ssh = f"git@{place.replace('/', ':', 1)}.git"
    change = {"ref": ref, "before": _BEFORE, "after": after, "commits": [{"id": _AFTER, "modified": ["a.yaml"]}]}
    name = place.partition("/")[2]
    if host == "gitlab":
        project = {
            "path_with_namespace": name,
            "web_url": url,
            "git_http_url": f"{url}.git",
            "git_ssh_url": ssh,
            "default_branch": default,
        }
        kind = "tag_push" if tag else "push"
        event = "Tag Push Hook" if tag else "Push Hook"
        return event, change | {"object_kind": kind, "project": project, "stamp": str(uuid.uuid4())}
    if host == "bitbucketCloud":
        end = {"type": "tag" if tag else "branch", "name": tag or branch, "target": {"hash": _AFTER}}
        repository = {"full_name": name, "links": {"html": {"href": url}}, "stamp": str(uuid.uuid4())}
        return "repo:push", {
            "repository": repository,
            "push": {"changes": [{"new": None if gone else end, "old": end if gone else None, "closed": gone}]},
        }
    repository = {
        "full_name": name,
        "html_url": url,
        "clone_url": f"{url}.git",
        "ssh_url": ssh,
        "default_branch": default,
        "updated_at": str(uuid.uuid4()),
    }
    if host == "gitea" and (gone or tag):
        event = "delete" if gone else "create"
        return event, {"ref": tag or branch, "ref_type": "tag" if tag else "branch", "repository": repository}
    return "push", change | {"deleted": gone, "repository": repository}
