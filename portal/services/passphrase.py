"""Carries the instance key from one machine to another, under a passphrase."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from portal.errors import ConflictError, InputError, SettingsError
from portal.model.secret import Secret

#: Costs 64 MB and about 0.2 s for each guess. Rule: RFC 7914, 2; OWASP Password Storage Cheat Sheet, scrypt.
_COST, _BLOCK, _PARALLEL = 2**16, 8, 1
_SALT_BYTES = 16
_MOST_COST, _MOST_BLOCK, _MOST_PARALLEL = 2**20, 32, 16
SHORTEST = 12


def sealed_key(key_file: Path, passphrase: Secret) -> dict[str, Any]:
    """Return the instance key as ciphertext, with what it takes to open it but the passphrase.

    Raises `InputError` for a passphrase of fewer than 12 characters, `SettingsError` where there is no key.
    """
    if len(passphrase.reveal()) < SHORTEST:
        raise InputError(f"The passphrase is too short; expected at least {SHORTEST} characters")
    try:
        key = key_file.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"The instance key {key_file} cannot be read: {error.strerror}") from error
    salt = os.urandom(_SALT_BYTES)
    kdf = {"name": "scrypt", "n": _COST, "r": _BLOCK, "p": _PARALLEL, "salt": base64.b64encode(salt).decode()}
    return {"kdf": kdf, "ciphertext": _fernet(passphrase, kdf).encrypt(key).decode("ascii")}


def opened_key(sealed: Mapping[str, Any], passphrase: Secret) -> bytes:
    """Return the instance key. Raises `InputError` for another passphrase than that it was sealed with."""
    try:
        return _fernet(passphrase, sealed["kdf"]).decrypt(sealed["ciphertext"].encode("ascii"))
    except (InvalidToken, KeyError, TypeError, ValueError) as error:
        raise InputError("The passphrase does not open the instance key of this backup; nothing was changed") from error


def check_place(key_file: Path, key: bytes) -> bool:
    """Return whether the key is still to be put there. Raises `ConflictError` where another key is."""
    if not key_file.exists():
        return True
    if key_file.read_bytes().strip() == key:
        return False
    raise ConflictError(
        f"{key_file} is another key than that of the backup; nothing was changed. Move it away to take the backup's, "
        "or restore without the key"
    )


def put_key(key_file: Path, key: bytes) -> None:
    """Write the key where only its owner reads it."""
    key_file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)


def _fernet(passphrase: Secret, kdf: Mapping[str, Any]) -> Fernet:
    cost, block, parallel = int(kdf["n"]), int(kdf["r"]), int(kdf["p"])
    # What a file says must not take all the memory there is.
    if cost > _MOST_COST or block > _MOST_BLOCK or parallel > _MOST_PARALLEL:
        raise ValueError("costs beyond reason")
    scrypt = Scrypt(salt=base64.b64decode(kdf["salt"]), length=32, n=cost, r=block, p=parallel)
    return Fernet(base64.urlsafe_b64encode(scrypt.derive(passphrase.reveal().encode())))
