"""Says what the dataset may be read for, and what a reader gets of a row."""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

_MASKINGS = ("hash", "redact", "drop")


class PurposeError(PermissionError):
    """Somebody reads for a purpose that the policy does not name."""


@dataclass(frozen=True)
class Policy:
    """What policy.toml says."""

    dataset: str
    format: str
    classification: str
    purposes: frozenset[str]
    sensitive: frozenset[str]
    masking: str

    def require(self, purpose: str) -> None:
        """Raise `PurposeError` unless the dataset may be read for the purpose."""
        if purpose not in self.purposes:
            known = ", ".join(sorted(self.purposes))
            raise PurposeError(f"{self.dataset} may not be read for {purpose!r}; it may be for: {known}")

    def masked(self, row: Mapping[str, Any], *, key: bytes) -> dict[str, Any]:
        """Return what a reader gets of a row; `key` makes hashes that only its holders can compare."""
        shown = {name: value for name, value in row.items() if name not in self.sensitive or self.masking != "drop"}
        for name in self.sensitive & shown.keys():
            shown[name] = _hash(shown[name], key) if self.masking == "hash" else "***"
        return shown


def read_policy(text: str | None = None) -> Policy:
    """Return the policy of the library, or of a text in TOML."""
    if text is None:
        text = files(__package__).joinpath("policy.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)
    sensitive = told["sensitive"]
    if sensitive["masking"] not in _MASKINGS:
        raise ValueError(f"masking: found {sensitive['masking']!r}; expected one of {', '.join(_MASKINGS)}")
    return Policy(
        dataset=told["dataset"],
        format=told["format"],
        classification=told["classification"],
        purposes=frozenset(told["purposes"]),
        sensitive=frozenset(sensitive["columns"]),
        masking=sensitive["masking"],
    )


def _hash(value: Any, key: bytes) -> str:
    return hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()[:16]
