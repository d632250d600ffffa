from pathlib import Path

import pytest

from portal.config import SETTINGS, load_settings
from portal.errors import SettingsError


def test_the_command_line_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('port = 1\nhost = "a"\nthreads = 3\n')

    settings = load_settings(
        environment={"PORTAL_PORT": "2", "PORTAL_HOST": "b"}, file=file, overrides={"port": 4, "host": None}
    )

    assert (settings.threads, settings.host, settings.port) == (3, "b", 4)


def test_all_faults_are_told_at_once_with_where_they_are(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('prot = 1\nthreads = "many"\n')

    with pytest.raises(SettingsError) as told:
        load_settings(environment={"PORTAL_PORT": "99999", "PORTAL_WORKER": "perhaps"}, file=file)

    text = told.value.message
    assert '"prot" in the settings file' in text
    assert "threads from the settings file: found 'many'" in text
    assert "port from PORTAL_PORT: found '99999'; expected a whole number, between 1 and 65535" in text
    assert "worker from PORTAL_WORKER" in text


@pytest.mark.parametrize("content", ["port = ", "\xff"])
def test_a_file_that_is_no_toml_is_told(content: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content.encode("latin-1"))

    with pytest.raises(SettingsError, match="not TOML"):
        load_settings(environment={}, file=file)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(environment={"PORTAL_CONFIG": str(tmp_path / "gone.toml")})


def test_a_password_does_not_reach_the_message_of_a_fault() -> None:
    with pytest.raises(SettingsError) as told:
        load_settings(environment={"PORTAL_PORT": "postgresql://a:secret@b/c"})

    assert "secret" not in told.value.message


def test_lists_stand_one_a_line_in_a_variable() -> None:
    settings = load_settings(environment={"PORTAL_CATALOG": "https://a/b#main:x.yaml\n ./c \n\n"})

    assert settings.catalog == ("https://a/b#main:x.yaml", "./c")


def test_every_setting_has_a_meaning() -> None:
    assert all(setting.help.endswith((".", "catalog.")) for setting in SETTINGS)
