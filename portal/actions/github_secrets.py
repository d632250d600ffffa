"""Gives a repository at GitHub the secrets of its workflows, which only GitHub can open."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from portal.actions.github import api_path
from portal.actions.host_client import HostClient, segment
from portal.actions.hosted_repository import Place
from portal.model.secret import Secret


def set_secrets(api: HostClient, place: Place, secrets: Mapping[str, Secret]) -> None:
    """Give a repository secrets by their names, sealed for its public key.

    Rule: GitHub's "Encrypting secrets for the REST API" (libsodium's sealed boxes).
    """
    if not secrets:
        return
    from nacl.public import PublicKey, SealedBox  # noqa: PLC0415  # a library of its own that few steps need

    key = api.get(f"{api_path(place)}/actions/secrets/public-key").body
    box = SealedBox(PublicKey(base64.b64decode(key["key"])))
    for name, secret in secrets.items():
        sealed = base64.b64encode(box.encrypt(secret.reveal().encode())).decode("ascii")
        path = f"{api_path(place)}/actions/secrets/{segment(name)}"
        api.ask("PUT", path, body={"encrypted_value": sealed, "key_id": key["key_id"]})
