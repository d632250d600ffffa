"""Keeps the secrets of tasks in the database, closed for whoever reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from portal.model.secret import Secret
from portal.services.vault import Vault
from portal.store.database import Database


class StoredSecrets:
    """The secrets of tasks as the database holds them: ciphertext, which is cleared when a task ends."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def of(self, task_id: str) -> Mapping[str, Secret]:
        """Return the secrets of a task."""
        return self._vault.open(self._database.lookup.secrets_of(task_id))

    def purpose(self, task_id: str) -> str:
        """Return what the results of a task's steps are sealed for.

        It follows from the ciphertext of the task's secrets: when that is cleared, nobody can open them any more.
        """
        return f"steps of {task_id} {self._database.lookup.secrets_of(task_id)}"

    def seal(self, kept: Mapping[str, Any], *, purpose: str) -> Any:
        """Return a JSON value that tells nobody what it holds."""
        return self._vault.seal({"kept": Secret(orjson.dumps(kept).decode())}, purpose=purpose)

    def unseal(self, sealed: Any, *, purpose: str) -> Mapping[str, Any]:
        """Return what was sealed for a purpose. Raises `SettingsError` where that is over."""
        kept: dict[str, Any] = orjson.loads(self._vault.open(sealed, purpose=purpose)["kept"].reveal())
        return kept
