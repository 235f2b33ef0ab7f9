"""The user's `config.toml`: its order beside flags and the environment, its profiles, and what is wrong in it."""

import pytest

from contacts_mcp.app import choose_backend
from contacts_mcp.settings import InvalidSettings, load_settings
from support.processes import API_KEY

OTHER_KEY = "wayscloud_pat_test2_ANOTHERSECRETTHATMUSTNEVERSHOW"
FILE = """
rate = 7
read_only = true
tools = ["list_contacts", "get_contact"]
default_region = "no"

[profiles.work]
rate = 8
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load settings with this file, these variables and these flags."""

    def run(content, variables=(), **flags):
        file = tmp_path / "config.toml"
        file.write_text(content)
        for name, value in dict(variables).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("CONTACTS_MCP_CONFIG", str(file))
        return load_settings(**flags)

    return run


def test_file_gives_values_of_every_kind(load):
    settings = load(FILE)

    assert (settings.rate, settings.read_only, settings.default_region) == (7, True, "NO")
    assert settings.tools == ["list_contacts", "get_contact"]


def test_environment_overrides_the_file_and_a_flag_overrides_both(load):
    variables = {"CONTACTS_MCP_TOOLS": "list_contacts", "CONTACTS_MCP_READ_ONLY": "false"}

    settings = load(FILE, variables, tools="get_contact")

    assert (settings.rate, settings.read_only, settings.tools) == (7, False, ["get_contact"])
    assert settings.source_of("rate") == str(settings.config)
    assert settings.source_of("read_only") == "environment"
    assert settings.source_of("tools") == "command line"
    assert settings.source_of("guard") is None


@pytest.mark.parametrize("blank", ["", " ", "${user_config.rate}"])
def test_blank_variable_does_not_override_the_file(load, blank):
    assert load("rate = 7", {"CONTACTS_MCP_DEFAULT_REGION": blank, "CONTACTS_MCP_RATE": ""}).rate == 7


def test_profile_overrides_the_top_of_the_file(load):
    assert (load(FILE, profile="work").rate, load(FILE).rate) == (8, 7)
    assert load(FILE, {"CONTACTS_MCP_PROFILE": "work"}).read_only is True


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("ratee = 1", "config.toml: ratee is not a setting; did you mean rate?"),
        ("profile = 'x'", "config.toml: profile is not a setting"),
        ("rate = 'many'", "config.toml: rate: should be a valid integer"),
        ("rate = -1", "config.toml: rate: should be greater than or equal to 0"),
        ("rate = 1.5", "rate should be text, a number, true or false, or a list of texts"),
        ("files = '$HOME/x'", "config.toml: files: contains a placeholder"),
        ("rate = 1\nrate = 2", "config.toml: "),
        ("[profiles]\nwork = 1", "`profiles` should hold tables such as [profiles.work]"),
        ("[profiles.default]\nraet = 1", "config.toml [profiles.default]: raet is not a setting"),
        ("api_key = 'wayscloud_pat_x_SECRET\nx", "config.toml: "),
    ],
    ids=str,
)
def test_fault_in_the_file_is_named_and_never_quoted(load, content, problem):
    with pytest.raises(InvalidSettings) as refused:
        load(content)

    assert problem in str(refused.value)
    assert not any(value in str(refused.value) for value in ("SECRET", "many", "$HOME"))


def test_misspelled_profile_is_refused(load):
    with pytest.raises(InvalidSettings, match='there is no profile "wrok"; did you mean "work"'):
        load(FILE, profile="wrok")


def test_named_file_has_to_exist_and_the_usual_one_does_not(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    assert load_settings().profile == "default"
    with pytest.raises(InvalidSettings, match="CONTACTS_MCP_CONFIG: there is no file"):
        load_settings(config=tmp_path / "none.toml")
    with pytest.raises(InvalidSettings, match="CONTACTS_MCP_PROFILE: there is no profile work"):
        load_settings(profile="work")


@pytest.mark.parametrize(
    ("content", "variables", "flags", "backend"),
    [
        (f"api_key = '{API_KEY}'", {}, {}, "WAYSCloud at https://api.wayscloud.services"),
        (f"api_key = '{API_KEY}'", {"CONTACTS_MCP_DIRECTORY": "/x.db"}, {}, "the embedded directory in /x.db"),
        (f"api_key = '{API_KEY}'", {}, {"directory": "/x.db"}, "the embedded directory in /x.db"),
        ("directory = '/y.db'", {}, {}, "the embedded directory in /y.db"),
        ("directory = '/y.db'", {"WAYSCLOUD_TOKEN": OTHER_KEY}, {}, "WAYSCloud at https://api.wayscloud.services"),
        (
            f"api_key = '{API_KEY}'\n[profiles.home]\ndirectory = '/y.db'",
            {},
            {"profile": "home"},
            "the embedded directory in /y.db",
        ),
    ],
    ids=str,
)
def test_first_source_that_names_a_backend_decides(load, tmp_path, content, variables, flags, backend):
    assert str(choose_backend(load(content, variables, **flags), tmp_path)) == backend


def test_key_of_the_environment_is_used_and_not_that_of_the_file(load, tmp_path):
    chosen = choose_backend(load(f"api_key = '{API_KEY}'", {"WAYSCLOUD_TOKEN": OTHER_KEY}), tmp_path)

    assert chosen.credential.secret == OTHER_KEY
    assert chosen.credential.source == "WAYSCLOUD_TOKEN"


def test_origin_of_a_key_is_the_file_and_the_profile(load, tmp_path):
    chosen = choose_backend(load(f"[profiles.work]\napi_key = '{API_KEY}'", profile="work"), tmp_path)

    assert chosen.origin() == f"key wayscloud_pat_… from {tmp_path / 'config.toml'} [profiles.work]"


def test_keychain_without_the_key_is_an_error_and_never_another_backend(load, tmp_path):
    with pytest.raises(InvalidSettings, match=r"CONTACTS_MCP_KEYCHAIN: .*keychain"):
        choose_backend(load("[profiles.work]\nkeychain = true", profile="work"), tmp_path)


def test_keychain_is_not_imported_unless_it_is_configured(load, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)  # an import would fail

    choose_backend(load(f"api_key = '{API_KEY}'"), tmp_path)
    choose_backend(load(""), tmp_path)
