"""Settings as hosts pass them on: with references that nothing expanded, blank ones, and noise around good values."""

import json
import os

import pytest

from contacts_mcp.app import Platform, choose_backend
from contacts_mcp.client import InvalidCredential, find_credential
from contacts_mcp.settings import InvalidSettings, Settings, env_name, load_settings

KEY = "wayscloud_pat_0123456789abcdef"
SECRET = "0123456789abcdef0123456789abcdef"
REFERENCES = (
    "${SECRET_X}",
    "${SECRET_X:-x}",
    "${env:SECRET_X}",
    "${input:secret_x}",
    "$SECRET_X",
    "$secret_x",
    "$env:SECRET_X",
    "%SECRET_X%",
    "{{SECRET_X}}",
    "{{ secret_x }}",
    "${{ secrets.X }}",
    "{env:SECRET_X}",
    "<SECRET_X>",
    "<your secret_x>",
)
TEXTS = sorted(name for name in Settings.model_fields if name not in ("write_budget", "max_calls", "rate"))
FORMS = ("{}", '"{}"', " '{}'\n", "\u201c{}\u201d")
FORMED = ("api_key", "directory", "state_keys", "audit")


@pytest.fixture
def load(monkeypatch):
    def load(**variables):
        for name in [each for each in os.environ if each.startswith(("CONTACTS_MCP_", "WAYSCLOUD_"))]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load


CASES = [
    *((name, reference, "{}") for name in TEXTS for reference in REFERENCES[:3]),
    *((name, reference, form) for name in FORMED for reference in REFERENCES for form in FORMS),
]


@pytest.mark.parametrize(("name", "reference", "form"), CASES)
def test_unexpanded_reference_is_refused_with_the_setting_and_never_quoted(load, name, reference, form):
    with pytest.raises(InvalidSettings) as refused:
        load(**{env_name(name): form.format(reference)})

    assert str(refused.value).startswith(f"{env_name(name)}: ")
    assert "not expanded" in str(refused.value)
    assert "secret_x" not in str(refused.value).lower()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONTACTS_MCP_DIRECTORY", "${HOME}/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "/data/$USER/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "/data/contacts-$USER.db"),
        ("CONTACTS_MCP_DIRECTORY", "$HOME/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "$home/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "%APPDATA%\\contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "/data/%username%/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "C:\\Users\\%USERNAME%\\contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "/home/<user>/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "/home/{{user}}/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "$(pwd)/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "${user_config.folder}/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "postgresql://me:${PGPASSWORD}@host/contacts"),
        ("CONTACTS_MCP_DIRECTORY", "postgresql://me:$PGPASSWORD@host/contacts"),
        ("CONTACTS_MCP_DIRECTORY", "postgresql://me:%DB_PASSWORD%@host/contacts"),
        ("CONTACTS_MCP_DIRECTORY", "postgresql://<user>:<password>@<host>/contacts"),
        ("CONTACTS_MCP_REDIS_URL", "redis://:{env:REDIS_PASSWORD}@host:6379/0"),
        ("CONTACTS_MCP_FILES", "${workspaceFolder}/files"),
        ("CONTACTS_MCP_AUDIT", "stderr,${HOME}/audit.jsonl"),
        ("CONTACTS_MCP_STATE_KEYS", f"{SECRET},${{STATE_KEY_WITH_A_LONG_NAME_OF_A_VARIABLE}}"),
        ("CONTACTS_MCP_PUBLIC_HOST", "contacts.example.com,$HOST_NAME"),
        ("CONTACTS_MCP_ALLOW_ORIGIN", "https://${HOST}"),
        ("CONTACTS_MCP_OAUTH_ISSUER", "https://%HOST%/issuer"),
        ("WAYSCLOUD_API_KEY", "Bearer ${WAYSCLOUD_API_KEY}"),
        ("WAYSCLOUD_API_KEY", "wayscloud_pat_<YOUR_KEY>"),
        ("WAYSCLOUD_API_KEY", "wayscloud_pat_..."),
        ("WAYSCLOUD_API_KEY", "your-api-key"),
        ("WAYSCLOUD_TOKEN", "wayscloud_pat_${ID}"),
        ("XDG_DATA_HOME", "${HOME}/.local/share"),
        ("HTTPS_PROXY", "http://${PROXY}:3128"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://${COLLECTOR}:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=${TOKEN}"),
    ],
)
def test_reference_within_a_value_is_refused(load, name, value):
    with pytest.raises(InvalidSettings, match=f"^{name}: .*not expanded"):
        load(**{name: value})


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("CONTACTS_MCP_DIRECTORY", "directory", "/srv/cash$/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "directory", "/srv/a$b/contacts$.db"),
        ("CONTACTS_MCP_DIRECTORY", "directory", "/srv/$ystem/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "directory", "/srv/100%/50% off/contacts.db"),
        ("CONTACTS_MCP_DIRECTORY", "directory", "/srv/{ab12}/my contacts.db"),
        ("CONTACTS_MCP_FILES", "files", "/srv/Mine & Yours (2)/a<b"),
        ("WAYSCLOUD_API_URL", "api_url", "https://api.example.com/a%20b%2Fc"),
        ("CONTACTS_MCP_OAUTH_ISSUER", "oauth_issuer", "https://example.com/%C3%A9%20x"),
    ],
)
def test_value_that_only_looks_like_a_reference_is_taken_as_it_is(load, name, field, value):
    assert str(getattr(load(**{name: value}), field)) == value


@pytest.mark.parametrize(
    "password", ["pa%24%41BCD%20", "100%25", "a$b$c", "x%Y", "s%C3%A9%AB%CD", "p<a>s", "$1x", "%41%42"]
)
def test_password_with_signs_of_references_is_taken_as_it_is(load, password):
    url = f"postgresql://me:{password}@host/contacts"

    assert load(CONTACTS_MCP_DIRECTORY=url).directory.url.endswith(f"://me:{password}@host/contacts")


@pytest.mark.parametrize(
    "secret", ["ab$CDEF-%GHI%x${y}<z>{{w}}0123456789", "$" * 40, "<<0123456789abcdef0123456789abcdef>>"]
)
def test_random_state_key_is_taken_whatever_signs_it_has(load, secret):
    assert [key.get_secret_value() for key in load(CONTACTS_MCP_STATE_KEYS=secret).state_keys] == [secret]


@pytest.mark.parametrize("directory", ["/tmp/contacts.db", ""])
def test_replica_without_a_server_that_it_copies_is_refused(load, directory):
    with pytest.raises(InvalidSettings, match=r"^CONTACTS_MCP_DIRECTORY_REPLICA: both the directory and its replica"):
        load(CONTACTS_MCP_DIRECTORY=directory, CONTACTS_MCP_DIRECTORY_REPLICA="postgresql://two/contacts")


def test_directory_is_located_with_its_replica(load):
    settings = load(
        CONTACTS_MCP_DIRECTORY="postgresql://one/contacts", CONTACTS_MCP_DIRECTORY_REPLICA="postgresql://two/contacts"
    )

    assert "two" in str(settings.locate_directory().replica)
    assert "one" in str(settings.locate_directory())


@pytest.mark.parametrize("form", ["${user_config.x}", '"${user_config.x}"', " ${user_config.x} ", '""', "' '"])
@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_blank_setting_of_a_bundle_is_not_set(load, name, form):
    assert load(**{env_name(name): form}) == load()


def test_blank_names_of_a_list_are_left_out(load):
    assert load(CONTACTS_MCP_TOOLS='list_contacts, ${user_config.more},"get_contact"').tools == [
        "list_contacts",
        "get_contact",
    ]


@pytest.mark.parametrize("value", [",", " , "])
def test_list_of_nothing_is_not_taken_for_a_blank_setting(load, value):
    with pytest.raises(InvalidSettings, match="CONTACTS_MCP_AUDIT"):
        load(CONTACTS_MCP_AUDIT=value)


def test_blank_flag_leaves_the_environment_in_force(monkeypatch):
    monkeypatch.setenv("CONTACTS_MCP_DIRECTORY", "/srv/contacts.db")

    assert str(load_settings(directory="${user_config.directory}").directory) == "/srv/contacts.db"


@pytest.mark.parametrize(
    "given",
    [
        f'"{KEY}"',
        f" '{KEY}'\n",
        f"\ufeff{KEY}\u200b",
        f"Bearer {KEY}",
        f'"Bearer {KEY}"',
        f'bearer  "{KEY}" ',
        f"\u201c{KEY}\u201d",
        f"`{KEY}`",
        f"Authorization: Bearer {KEY}",
        f"X-API-Key: {KEY}\r\n",
    ],
)
@pytest.mark.parametrize("name", ["WAYSCLOUD_API_KEY", "WAYSCLOUD_TOKEN"])
def test_noise_around_a_good_key_is_removed(load, tmp_path, name, given):
    backend = choose_backend(load(**{name: given}), tmp_path)

    assert isinstance(backend, Platform)
    assert backend.credential.secret == KEY


def test_noise_around_the_token_of_a_file_is_removed_and_a_reference_refused(tmp_path):
    file = tmp_path / ".wayscloud" / "credentials"
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "token": f"'Bearer {KEY}'"}))
    assert find_credential({}, tmp_path).secret == KEY

    file.write_text(json.dumps({"version": 1, "token": "%WAYSCLOUD_TOKEN%"}))
    with pytest.raises(InvalidCredential, match=r"credentials: .*not expanded"):
        find_credential({}, tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CONTACTS_MCP_DIRECTORY", ' "/srv/my contacts.db" ', "/srv/my contacts.db"),
        ("CONTACTS_MCP_FILES", "'/srv/files'\n", "/srv/files"),
        ("WAYSCLOUD_API_URL", '"https://api.example.com"', "https://api.example.com"),
        ("CONTACTS_MCP_DIRECTORY", '"postgresql://me:x@host/contacts"', "postgresql://me@host/contacts"),
    ],
)
def test_noise_around_a_path_or_address_is_removed(load, name, value, expected):
    settings = load(**{name: value})

    assert expected in (str(settings.directory), str(settings.files), settings.api_url)


OPTIONS = (
    ("serve", "--directory"),
    ("serve", "--files"),
    ("serve", "--audit"),
    ("serve", "--transport", "http", "--host"),
    ("serve", "--transport", "http", "--public-host"),
    ("serve", "--transport", "http", "--allow-origin"),
    ("doctor", "--directory"),
    ("doctor", "--audit"),
    ("demo", "--directory"),
    ("schemas", "--out"),
    ("audit", "verify", "--file"),
    ("audit", "show", "--file"),
    ("audit", "tail", "--file"),
    ("directory", "stats", "--directory"),
    ("directory", "serve", "--host"),
    ("directory", "keys", "list", "--directory"),
    ("directory", "backup"),
    ("directory", "restore-backup"),
    ("directory", "restore-backup", "x", "--journal"),
)


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_reference_in_a_path_or_address_of_a_command_is_refused(command, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    done = command(*words, "'${NOWHERE}/x'", COLUMNS="300")

    assert done.code == 2
    assert "not expanded" in done.err
    assert words[-1] in done.err or "Invalid value" in done.err
    assert list(tmp_path.iterdir()) == []


def test_blank_options_are_not_set(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    written = command("schemas", "--out", "${user_config.out}")
    refused = command("directory", "backup", "${user_config.file}")

    assert (written.code, [each.name for each in tmp_path.iterdir()]) == (0, ["tool_schemas"])
    assert (refused.code, "is not set" in refused.err) == (2, True)


def test_doctor_names_the_setting_and_the_host_files_that_mention_the_server(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in ((".cursor/mcp.json", '{"contacts": {"command": "contacts-mcp"}}'), (".claude.json", "{}")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)

    done = command("doctor", WAYSCLOUD_API_KEY="${MY_KEY}")

    assert done.code == 1
    assert "✗ settings: WAYSCLOUD_API_KEY: contains a placeholder" in done.out
    assert ".cursor/mcp.json (Cursor)" in done.out
    assert ".claude.json" not in done.out
    assert "MY_KEY" not in done.out


def test_doctor_names_all_host_files_if_none_mentions_the_server(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "config.toml").write_text("")

    done = command("doctor", CONTACTS_MCP_FILES="$HOME/files")

    assert "~/.codex/config.toml (Codex)" in done.out
