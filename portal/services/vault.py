"""Keeps secrets from being read in the database."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path

import orjson
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from portal.errors import SettingsError
from portal.model.secret import Secret


class Vault:
    """Encrypts under the instance's key, a file that only its owner reads; it is made when first needed."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def seal(self, secrets: Mapping[str, Secret], *, purpose: str = "") -> str | None:
        """Return ciphertext of the secrets, None when there are none; it is opened for the same purpose alone."""
        if not secrets:
            return None
        plain = orjson.dumps({name: secret.reveal() for name, secret in secrets.items()})
        return self._fernet(purpose).encrypt(plain).decode("ascii")

    def open(self, sealed: str | None, *, purpose: str = "") -> dict[str, Secret]:
        """Return what `seal` was given. Raises `SettingsError` when it was sealed under another key."""
        if sealed is None:
            return {}
        try:
            plain = self._fernet(purpose).decrypt(sealed.encode("ascii"))
        except InvalidToken as error:
            raise SettingsError(
                f"Secrets in the database were encrypted under another key than that in {self._key_file}; "
                "give all servers of one database the same key file"
            ) from error
        return {name: Secret(text) for name, text in orjson.loads(plain).items()}

    def check(self) -> None:
        """Raise `SettingsError` where the key's file holds no key."""
        self._fernet()

    def derived(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for a purpose, the same for all servers that share the instance's key."""
        return HKDF(hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._key())

    def _fernet(self, purpose: str = "") -> Fernet:
        try:
            return Fernet(base64.urlsafe_b64encode(self.derived(purpose)) if purpose else self._key())
        except ValueError as error:
            raise SettingsError(f"{self._key_file} holds no key; expected 32 bytes in URL-safe base64") from error

    def _key(self) -> bytes:
        """Return the key, made once: of two processes that come at the same time one wins."""
        if not self._key_file.exists():
            self._key_file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._key_file.with_name(f"{self._key_file.name}.{os.getpid()}")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(Fernet.generate_key())
            try:
                os.link(draft, self._key_file)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return self._key_file.read_bytes().strip()
