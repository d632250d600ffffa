from pathlib import Path

import pytest

from portal.config import SETTINGS, load_settings
from portal.errors import SettingsError
from portal.model.access import AccessRestriction


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


def test_git_hosts_are_tables_whose_tokens_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[[integrations]]\nhost = "GHE.corp:8443"\ntype = "github"\ntoken = "${GHE_TOKEN}"\n')

    settings = load_settings(environment={"GHE_TOKEN": "s3cret"}, file=file)

    (host,) = settings.integrations
    assert (host.host, host.type) == ("ghe.corp:8443", "github")
    assert host.token is not None
    assert host.token.reveal() == "s3cret"
    assert settings.shown()["integrations"] == ["ghe.corp:8443 (github, token ***)"]
    # The server's process gets them through its environment.
    (setting,) = (setting for setting in SETTINGS if setting.name == "integrations")
    handed = load_settings(environment={"PORTAL_INTEGRATIONS": setting.variable_text(settings.integrations)})
    assert handed.integrations == settings.integrations


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('host = "a b"\ntype = "github"', 'expected a host such as "git.example.com"'),
        ('host = "h"\ntype = "svn"', "expected for h a type, one of github, gitlab"),
        ('host = "h"\ntype = "github"\ntokn = "s3cret"', '"tokn" is not known'),
        ('host = "h"\ntype = "github"\ntoken = "${GONE}"', "the environment variable GONE to be set"),
        ('host = "h"\ntype = "github"\nbase_url = "ftp://h"\ntoken = "s3cret"', "a base_url with http or https"),
    ],
)
def test_a_faulty_git_host_is_told_without_its_token(table: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(f"[[integrations]]\n{table}\n")

    with pytest.raises(SettingsError) as error:
        load_settings(environment={}, file=file)

    assert told in error.value.message
    assert "s3cret" not in error.value.message


def test_rules_are_those_of_backstage(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(
        '[[catalog_rules]]\nallow = ["Component", {kind = "Resource", "spec.type" = "database"}]\n'
        '[[catalog_rules]]\nallow = ["User"]\nlocations = [{type = "url", pattern = "https://h/**"}]\n'
    )

    settings = load_settings(environment={}, file=file)

    assert settings.shown()["catalog_rules"] == [
        '{"allow": ["Component", {"kind": "Resource", "spec.type": "database"}]}',
        '{"allow": ["User"], "locations": [{"type": "url", "pattern": "https://h/**"}]}',
    ]
    (setting,) = (setting for setting in SETTINGS if setting.name == "catalog_rules")
    handed = load_settings(environment={"PORTAL_CATALOG_RULES": setting.variable_text(settings.catalog_rules)})
    assert handed.catalog_rules == settings.catalog_rules


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ('[{"allow": []}]', "a list allow of kinds"),
        ('[{"allow": [{"kind": 1}]}]', "kinds such as"),
        ('[{"allow": ["A"], "locations": [{"exact": "x"}]}]', "locations such as"),
        ('[{"allow": ["A"], "locations": []}]', "at least one"),
        ('[{"allow": ["A"], "locations": [{"type": "url", "exact": "x", "pattern": "y"}]}]', "not both"),
        ('[{"allows": ["A"]}]', '"allows" is not known'),
        ("Component", "as JSON"),
    ],
)
def test_a_faulty_rule_is_told(rules: str, told: str) -> None:
    with pytest.raises(SettingsError, match="PORTAL_CATALOG_RULES") as error:
        load_settings(environment={"PORTAL_CATALOG_RULES": rules})

    assert told in error.value.message


def test_tokens_of_programs_are_read_as_backstage_has_them(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(
        '[[external_access]]\ntype = "static"\noptions = {token = "${CI}", subject = "ci"}\n'
        'accessRestrictions = [{plugin = "catalog", permission = "a.b c.d", permissionAttribute = {action = "read"}}]\n'
        '[[external_access]]\ntype = "static"\noptions = {token = "another-token", subject = "all"}\n'
    )

    settings = load_settings(environment={"CI": "s3cret-token"}, file=file)

    first, second = settings.external_access
    assert (first.token.reveal(), first.subject, second.restrictions) == ("s3cret-token", "ci", ())
    assert first.restrictions == (AccessRestriction("catalog", ("a.b", "c.d"), ("read",)),)
    assert settings.shown()["external_access"] == ["ci (catalog, token ***)", "all (everything, token ***)"]
    assert "s3cret" not in repr(settings)
    (setting,) = (setting for setting in SETTINGS if setting.name == "external_access")
    handed = load_settings(environment={"PORTAL_EXTERNAL_ACCESS": setting.variable_text(settings.external_access)})
    assert handed.external_access == settings.external_access


OPTIONS = 'options = {token = "s3cret-token", subject = "a"}'
PLUGIN = '{plugin = "a"'


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (f'type = "jwks"\n{OPTIONS}', 'the type "static"'),
        ('type = "static"', "a table of subject, token"),
        ('type = "static"\noptions = {token = "s3cret", subject = "a"}', "at least 8 characters"),
        ('type = "static"\noptions = {token = "s3cret token", subject = "a"}', "without spaces"),
        ('type = "static"\noptions = {token = "s3cret-token", subject = ""}', "a subject"),
        ('type = "static"\noptions = {token = "s3cret-token", subjct = "a"}', "a table of subject, token"),
        (f'type = "static"\n{OPTIONS}\naccessRestrictions = 5', "a list of"),
        (f'type = "static"\n{OPTIONS}\naccessRestrictions = [{{plugin = 5}}]', "the plugin of each"),
        (f'type = "static"\n{OPTIONS}\naccessRestrictions = [{PLUGIN}}}, {PLUGIN}}}]', "once for each plugin"),
        (f'type = "static"\n{OPTIONS}\naccessRestrictions = [{PLUGIN}, permission = [1]}}]', "texts as permission"),
        (
            f'type = "static"\n{OPTIONS}\naccessRestrictions = [{PLUGIN}, permissionAttribute = {{action = "use"}}}}]',
            "some of create, read",
        ),
    ],
)
def test_a_faulty_token_of_a_program_is_told_without_it(table: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(f"[[external_access]]\n{table}\n")

    with pytest.raises(SettingsError) as error:
        load_settings(environment={}, file=file)

    assert told in error.value.message
    assert "s3cret" not in error.value.message


def test_a_guest_is_a_user() -> None:
    assert load_settings(environment={"PORTAL_GUEST": "Ann"}).guest == "user:default/ann"
    for text in ("group:default/ann", ":::", "/"):
        with pytest.raises(SettingsError, match="a user reference"):
            load_settings(environment={"PORTAL_GUEST": text})


PROVIDER = {"id": "corp", "issuer": "https://login.example.com", "client_id": "portal", "client_secret": "s3cret"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, True),
        ({"host": "localhost"}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "192.168.1.1"}, False),
        # A proxy on this machine lets others in.
        ({"base_url": "https://portal.example.com"}, False),
        ({"sign_in_providers": [PROVIDER]}, False),
        ({"sign_in_providers": [PROVIDER], "guests": True}, True),
        ({"host": "0.0.0.0", "guests": True}, True),
        ({"guests": False}, False),
    ],
)
def test_guests_are_let_in_by_default_on_this_machine_alone(settings: dict[str, object], expected: bool) -> None:
    assert load_settings(environment={}, overrides=settings).guests is expected


def test_providers_reach_the_servers_process_and_no_print(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(
        '[[sign_in_providers]]\nid = "corp"\nissuer = "https://login.example.com"\nclient_id = "portal"\n'
        'client_secret = "${CORP}"\n'
    )
    settings = load_settings(environment={"CORP": "s3cret"}, file=file)

    assert settings.shown()["sign_in_providers"] == ["corp (https://login.example.com, client portal, secret ***)"]
    assert "s3cret" not in repr(settings)
    (setting,) = (setting for setting in SETTINGS if setting.name == "sign_in_providers")
    handed = load_settings(environment={"PORTAL_SIGN_IN_PROVIDERS": setting.variable_text(settings.sign_in_providers)})
    assert handed.sign_in_providers == settings.sign_in_providers


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("sign_in_providers", [PROVIDER, PROVIDER], "another id for each provider"),
        ("sign_in_providers", "Corp", "as JSON"),
        ("app_origins", ["https://a.example/path"], "origins such as"),
        ("app_origins", ["a.example"], "origins such as"),
        ("session_seconds", "5", "60 or more"),
        ("rate_limit", "many", 'a rate such as "3000/minute"'),
        ("rate_limit", ["off"], 'a rate such as "3000/minute"'),
    ],
)
def test_a_faulty_setting_is_told(name: str, value: object, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(environment={}, overrides={name: value})

    assert told in error.value.message
    assert "s3cret" not in error.value.message


def test_secrets_of_webhooks_are_read_and_handed_on_unseen(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(
        '[[webhooks]]\ntype = "github"\nsecret = "${HOOK}"\n'
        '[[webhooks]]\ntype = "gitlab"\nsecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\nhost = "Git.example.com"\n'
    )

    settings = load_settings(environment={"HOOK": "a secret of a hook"}, file=file)

    first, second = settings.webhooks
    assert (first.type, first.secret.reveal(), first.host) == ("github", "a secret of a hook", "")
    assert (second.type, second.host) == ("gitlab", "git.example.com")
    assert settings.shown()["webhooks"] == ["github (secret ***)", "gitlab (git.example.com, secret ***)"]
    assert "a secret of a hook" not in repr(settings)
    (setting,) = (setting for setting in SETTINGS if setting.name == "webhooks")
    handed = load_settings(environment={"PORTAL_WEBHOOKS": setting.variable_text(settings.webhooks)})
    assert handed.webhooks == settings.webhooks


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('type = "azure"\nsecret = "long enough as it is"', "one of github, gitlab, gitea, bitbucketCloud"),
        ('type = "github"', "at least 16 characters"),
        ('type = "github"\nsecret = "too short"', "at least 16 characters"),
        ('type = "github"\nsecret = "long enough as it is"\nhost = "https://x"', 'a host such as "git.example.com"'),
        ('type = "github"\nsecret = ["long enough as it is"]', "texts in each webhook's table"),
        ('type = "gitlab"\nsecret = "whsec_no base64 at all"', "base64 behind"),
        ('type = "github"\nsecrets = "long enough as it is"', '"secrets" is not known'),
    ],
)
def test_a_faulty_webhook_is_told_without_its_secret(table: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(f"[[webhooks]]\n{table}\n")

    with pytest.raises(SettingsError, match="webhooks from the settings file") as error:
        load_settings(environment={}, file=file)

    assert told in error.value.message
    assert "long enough" not in error.value.message
