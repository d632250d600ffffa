"""Secrets at rest."""

from __future__ import annotations

import pytest

from portal.errors import SettingsError
from portal.model.secret import Secret
from portal.services.vault import Vault


def test_secrets_come_back_with_the_same_key_alone(tmp_path):
    sealed = Vault(tmp_path / "keys" / "instance.key").seal({"K": Secret("word")})
    assert "word" not in sealed
    assert Vault(tmp_path / "keys" / "instance.key").open(sealed) == {"K": Secret("word")}
    assert (tmp_path / "keys" / "instance.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["instance.key"]
    with pytest.raises(SettingsError, match="another key"):
        Vault(tmp_path / "other.key").open(sealed)


def test_no_secrets_need_no_key(tmp_path):
    vault = Vault(tmp_path / "instance.key")
    assert vault.seal({}) is None
    assert vault.open(None) == {}
    assert not (tmp_path / "instance.key").exists()


def test_a_file_that_is_no_key_is_told(tmp_path):
    (tmp_path / "instance.key").write_text("not a key")
    with pytest.raises(SettingsError, match="holds no key"):
        Vault(tmp_path / "instance.key").seal({"K": Secret("word")})


def test_keys_for_purposes_follow_from_the_key_alone(tmp_path):
    vault = Vault(tmp_path / "instance.key")
    made = vault.derived("cookies")

    assert Vault(tmp_path / "instance.key").derived("cookies") == made
    assert len({made, vault.derived("other"), Vault(tmp_path / "other.key").derived("cookies")}) == 3
    assert made not in (tmp_path / "instance.key").read_bytes()


def test_what_is_sealed_for_one_purpose_is_opened_for_it_alone(tmp_path):
    vault = Vault(tmp_path / "instance.key")
    sealed = vault.seal({"K": Secret("word")}, purpose="one")

    assert Vault(tmp_path / "instance.key").open(sealed, purpose="one") == {"K": Secret("word")}
    for purpose in ("", "other"):
        with pytest.raises(SettingsError):
            vault.open(sealed, purpose=purpose)
