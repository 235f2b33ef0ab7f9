"""`contacts-mcp install` and `uninstall`, run in this process."""

import json
import sys
import tomllib
from io import StringIO
from pathlib import Path

import pytest

from contacts_mcp.install import INSTALL_HOSTS, find_command, read_launch
from contacts_mcp.quick_start._snapshot import file_states
from install.host_files import ALL_STATES, crowded, states
from support.processes import API_KEY

NAME = "wayscloud-contacts"
OTHER_KEY = "wayscloud_pat_test2_ANOTHERSECRETTHATMUSTNEVERSHOW"


@pytest.mark.parametrize(("host", "state"), ALL_STATES)
def test_file_is_byte_for_byte_as_it_was_after_install_and_uninstall(command, user, host, state):
    before = dict(states(host))[state]
    user.write(host, before)
    others = user.entries(host)

    installed = command("install", host, "--yes")
    launch = read_launch(user.entries(host)[NAME])
    kept = {name: entry for name, entry in user.entries(host).items() if name != NAME}
    removed = command("uninstall", host, "--yes")

    assert (installed.code, installed.err, removed.code) == (0, "", 0)
    assert launch is not None
    assert (Path(launch.command).is_absolute(), launch.args[-1]) == (True, "serve")
    assert kept == others
    assert user.read(host) == before


@pytest.mark.parametrize("host", INSTALL_HOSTS)
def test_each_line_of_a_crowded_file_stays(command, user, host):
    user.write(host, crowded(host))

    command("install", host, "--yes")

    lines = iter((user.read(host) or b"").splitlines())
    assert all(line in lines for line in crowded(host).splitlines())


@pytest.mark.parametrize("host", INSTALL_HOSTS)
def test_second_install_changes_nothing(command, user, host):
    user.write(host, crowded(host))
    command("install", host, "--yes", "--default-region", "NO")
    before = user.read(host), user.file(host).stat().st_ino

    again = command("install", host, "--yes")

    assert again.out == f"✓ {INSTALL_HOSTS[host].title}: already installed\n"
    assert (user.read(host), user.file(host).stat().st_ino) == before


def test_flags_become_settings_of_the_entry(command, user, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Files").mkdir()
    done = command("install", "cursor", "--yes", "--files", "Files", "--default-region", "no", "--directory", "x.db")

    assert done.code == 0, done.err
    assert user.entries("cursor")[NAME]["env"] == {
        "CONTACTS_MCP_FILES": str(Path.cwd() / "Files"),
        "CONTACTS_MCP_DEFAULT_REGION": "NO",
        "CONTACTS_MCP_DIRECTORY": str(Path.cwd() / "x.db"),
    }


def test_settings_and_fields_that_a_person_added_stay(command, user):
    entry = {"command": "uvx", "args": ["contacts-mcp"], "disabled": True, "env": {"CONTACTS_MCP_GUARD": "block"}}
    user.write("cursor", json.dumps({"mcpServers": {NAME: entry}}))

    command("install", "cursor", "--yes", "--default-region", "SE")

    found = user.entries("cursor")[NAME]
    assert found["disabled"] is True
    assert found["env"].items() >= {"CONTACTS_MCP_GUARD": "block", "CONTACTS_MCP_DEFAULT_REGION": "SE"}.items()


def test_without_a_name_all_hosts_that_are_found_get_an_entry(command, user):
    user.write("cursor", None)
    user.write("goose", None)

    done = command("install", "--yes")

    assert [host for host in INSTALL_HOSTS if NAME in user.entries(host)] == ["cursor", "goose"]
    assert "✓ Cursor: installed" in done.out


def test_without_any_host_the_names_are_listed(command):
    done = command("install", "--yes")

    assert done.code == 2
    assert "no host was found here; name one of claude-desktop, " in done.err


def test_file_before_is_kept_for_its_owner_only(command, user, tmp_path):
    user.write("cursor", crowded("cursor"))

    done = command("install", "cursor", "--yes")

    copy = Path(done.out.rpartition("(the file before: ")[2].rstrip(")\n"))
    assert copy.read_bytes() == crowded("cursor")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700


def test_permissions_of_the_file_stay_and_a_new_file_is_private(command, user):
    user.write("cursor", "{}").chmod(0o644)

    command("install", "cursor", "zed", "--yes")

    assert user.file("cursor").stat().st_mode & 0o777 == 0o644
    assert user.file("zed").stat().st_mode & 0o777 == 0o600


def test_difference_is_shown_without_secrets_of_others(command, user):
    user.write("cursor", '{"mcpServers": {"a": {"env": {"API_KEY": "s3cret", "GITHUB_TOKEN": "t0ken"}}}}')

    done = command("install", "cursor", "--yes")

    assert f'+ {{"mcpServers": {{"{NAME}": ' in done.out
    assert not any(secret in done.out for secret in ("s3cret", "t0ken"))


def test_without_a_terminal_nothing_is_written(command, user):
    user.write("cursor", crowded("cursor"))

    for arguments in (["install", "cursor"], ["install", "cursor", "--directory", "x.db"]):
        done = command(*arguments)

        assert done.code == 1
        assert "--yes" in done.err
        assert user.read("cursor") == crowded("cursor")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need no variables to open a browser")
def test_host_that_passes_few_variables_on_gets_those_that_a_browser_needs(command, user):
    command("install", "claude-desktop", "vscode", "--yes", WAYLAND_DISPLAY="wayland-0")

    assert user.entries("claude-desktop")[NAME]["env"]["WAYLAND_DISPLAY"] == "wayland-0"
    assert "WAYLAND_DISPLAY" not in user.entries("vscode")[NAME]["env"]


# Keys


def test_key_goes_into_the_keychain_and_into_no_file(command, user, keychain, tmp_path):
    done = command("install", "vscode", "codex", "--yes", "--key", f"Bearer {API_KEY}")

    assert list(keychain.keys.values()) == [API_KEY]
    assert "The key is stored in the keychain." in done.out
    assert tomllib.loads(user.config.read_text()) == {"profiles": {"default": {"keychain": True}}}
    assert "CONTACTS_MCP_DIRECTORY" not in user.entries("vscode")[NAME].get("env", {})
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "SECRET" in path.read_text()] == []


def test_another_key_in_the_keychain_makes_the_first_answers_of_earlier_starts_invalid(command, user, keychain):
    """They may be those of a key of another kind, which has other tools."""
    command("install", "vscode", "--yes", "--key", API_KEY)
    before = file_states([str(user.config)])

    command("install", "vscode", "--yes", "--key", OTHER_KEY)

    assert list(keychain.keys.values()) == [OTHER_KEY]
    assert file_states([str(user.config)]) != before


def test_key_without_a_keychain_goes_into_a_private_file(command, user):
    user.config.parent.mkdir(parents=True)
    user.config.write_text('# mine\nread_only = true\n\n[profiles.work] # other\ndefault_region = "NO"\n')
    user.config.chmod(0o644)

    command("install", "cursor", "--yes", "--key", API_KEY)

    written = user.config.read_text()
    assert tomllib.loads(written)["profiles"] == {"work": {"default_region": "NO"}, "default": {"api_key": API_KEY}}
    assert written.startswith("# mine\nread_only = true\n\n[profiles.work] # other\n")
    assert user.config.stat().st_mode & 0o777 == 0o600
    assert b"SECRET" not in (user.read("cursor") or b"")


def test_key_from_standard_input_is_in_no_process_list(command, user, keychain, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO(f"{API_KEY}\n"))

    command("install", "cursor", "--yes", "--key", "-")

    assert list(keychain.keys.values()) == [API_KEY]


def test_key_in_the_hosts_file_is_moved_out_of_it(command, user, keychain):
    entry = {"command": "uvx", "args": ["contacts-mcp", "serve"], "env": {"WAYSCLOUD_API_KEY": API_KEY}}
    user.write("claude-desktop", json.dumps({"mcpServers": {NAME: entry}}))

    done = command("install", "claude-desktop", "--yes")

    assert list(keychain.keys.values()) == [API_KEY]
    assert b"SECRET" not in (user.read("claude-desktop") or b"")
    assert "SECRET" not in done.out + done.err


def test_placeholder_in_the_hosts_file_is_no_key(command, user, keychain):
    entry = {"command": "contacts-mcp", "args": ["serve"], "env": {"WAYSCLOUD_API_KEY": "${env:WAYSCLOUD_API_KEY}"}}
    user.write("cursor", json.dumps({"mcpServers": {NAME: entry}}))

    command("install", "cursor", "--yes")

    assert keychain.keys == {}
    assert list(user.entries("cursor")[NAME]["env"]) == ["CONTACTS_MCP_DIRECTORY"]


def test_hosts_with_different_keys_are_not_mixed_up(command, user, keychain):
    for host, key in (("cursor", API_KEY), ("windsurf", OTHER_KEY)):
        entry = {"command": "contacts-mcp", "env": {"WAYSCLOUD_API_KEY": key}}
        user.write(host, json.dumps({"mcpServers": {NAME: entry}}))

    done = command("install", "--yes")

    assert (done.code, keychain.keys) == (2, {})
    assert "the hosts have different keys" in done.err
    assert "SECRET" not in done.err


def test_profiles_have_their_own_entries_and_keys(command, user, keychain):
    command("install", "cursor", "--yes", "--key", API_KEY)
    command("install", "cursor", "--yes", "--key", OTHER_KEY, "--profile", "work")

    assert {name for _, name in keychain.keys} == {"default", "work"}
    assert user.entries("cursor").keys() == {NAME, f"{NAME}-work"}
    assert user.entries("cursor")[f"{NAME}-work"]["env"] == {"CONTACTS_MCP_PROFILE": "work"}

    command("uninstall", "cursor", "--yes", "--profile", "work", "--forget-key")

    assert {name for _, name in keychain.keys} == {"default"}
    assert user.entries("cursor").keys() == {NAME}


@pytest.mark.slow
@pytest.mark.parametrize(("host", "state"), [each for each in ALL_STATES if each[0] in {"zed", "codex", "goose"}])
def test_file_is_as_it_was_after_the_last_of_several_profiles_is_removed(command, user, host, state):
    before = dict(states(host))[state]
    user.write(host, before)
    for profile in ("default", "work", "home"):
        command("install", host, "--yes", "--profile", profile)

    for profile in ("work", "home", "default"):
        assert command("uninstall", host, "--yes", "--profile", profile).code == 0

    assert user.read(host) == before


def test_embedded_directories_of_profiles_are_different_files(command, user):
    command("install", "cursor", "--yes")
    command("install", "cursor", "--yes", CONTACTS_MCP_PROFILE="work")

    files = {entry["env"]["CONTACTS_MCP_DIRECTORY"] for entry in user.entries("cursor").values()}
    assert {Path(file).name for file in files} == {"contacts.db", "contacts-work.db"}


def test_configuration_file_in_an_unusual_folder_is_named_in_the_entry(command, user, tmp_path):
    """The host does not know the shell's XDG_CONFIG_HOME."""
    folder = tmp_path / "elsewhere"

    command("install", "cursor", "--yes", "--key", API_KEY, XDG_CONFIG_HOME=str(folder))

    file = folder / "wayscloud-contacts-mcp" / "config.toml"
    assert file.exists()
    assert user.entries("cursor")[NAME]["env"] == {"CONTACTS_MCP_CONFIG": str(file)}


def test_stored_key_is_used_for_the_next_host(command, user, keychain):
    command("install", "cursor", "--yes", "--key", API_KEY)

    command("install", "zed", "--yes")

    assert "env" not in user.entries("zed")[NAME]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--key", "wayscloud_pat_..."], "--key: contains a placeholder"),
        (["--key", "two words"], "the key from --key contains spaces"),
        (["--key", API_KEY, "--directory", "x.db"], "leave one of them out"),
        (["--files", "/nowhere/files"], "--files: /nowhere/files is not a folder; create it first"),
        (["--default-region", "Norway"], "CONTACTS_MCP_DEFAULT_REGION: should be a two-letter region"),
        (["--profile", "a b"], "a profile's name has"),
        (["--profile", "../x"], "a profile's name has"),
    ],
    ids=str,
)
def test_invalid_setting_is_refused_before_anything_is_written(command, user, tmp_path, arguments, problem):
    user.write("cursor", crowded("cursor"))

    done = command("install", "cursor", "--yes", *arguments)

    assert done.code == 2
    assert problem in done.err
    assert "SECRET" not in done.err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [user.file("cursor")]


# Files that cannot be edited


@pytest.mark.parametrize(
    ("host", "content", "problem"),
    [
        ("cursor", b'{\n  "mcpServers": {\n  "a": 1\n', "line 4, column 1: expected"),
        ("zed", b'{"a": 1}\n{"b": 2}', "line 2, column 1: expected the end"),
        ("gemini", b"\xff\xfe{\x00}\x00", "line 1: it is not UTF-8"),
        ("codex", b"a = 1\nb = \n", "line 2"),
        ("goose", b"a: 1\nextensions: [\n", "line 3: it is not valid YAML"),
        ("vscode", b'{"servers": "none"}', '"servers" is not an object'),
    ],
    ids=str,
)
def test_broken_file_is_refused_with_its_line_and_stays(command, user, host, content, problem):
    user.write(host, content)
    user.write("windsurf", None)

    done = command("install", host, "windsurf", "--yes")

    assert done.code == 1
    assert f"✗ {user.file(host)}: {problem}" in done.err
    assert "Nothing was written to it." in done.err
    assert user.read(host) == content
    assert NAME in user.entries("windsurf")
    assert command("uninstall", host, "--yes").code == 1


def test_read_only_file_is_refused(command, user):
    user.write("cursor", "{}").chmod(0o444)

    done = command("install", "cursor", "--yes")

    assert (done.code, user.read("cursor")) == (1, b"{}")
    assert "it is read-only" in done.err


def test_folder_in_place_of_the_file_is_refused(command, user):
    user.file("cursor").mkdir(parents=True)

    done = command("install", "cursor", "--yes")

    assert (done.code, "it is a folder" in done.err) == (1, True)


def test_link_to_a_file_is_followed_and_stays(command, user, tmp_path):
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_bytes(crowded("cursor"))
    user.write("cursor", None).symlink_to("../dotfiles/mcp.json")

    command("install", "cursor", "--yes")

    assert user.file("cursor").readlink() == Path("../dotfiles/mcp.json")
    assert NAME.encode() in real.read_bytes()
    command("uninstall", "cursor", "--yes")
    assert (user.file("cursor").is_symlink(), real.read_bytes()) == (True, crowded("cursor"))


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "npx", "args": ["-y", "google-contacts-mcp"]},
        {"command": "node", "args": ["/src/contacts-mcp/index.js"]},
        {"url": "https://example.com/mcp"},
        "text",
    ],
    ids=str,
)
def test_entry_of_another_program_is_replaced_only_with_force(command, user, entry):
    content = json.dumps({"mcpServers": {NAME: entry}})
    user.write("cursor", content)

    refused, not_removed = command("install", "cursor", "--yes"), command("uninstall", "cursor", "--yes")

    assert (refused.code, not_removed.code) == (1, 1)
    assert f'its entry "{NAME}" starts another program; --force replaces it' in refused.err
    assert user.read("cursor") == content.encode()
    assert command("install", "cursor", "--yes", "--force").code == 0
    assert user.entries("cursor")[NAME]["args"][-1] == "serve"


def test_file_that_is_changed_by_the_host_after_install_keeps_that_change(command, user):
    user.write("cursor", '{"mcpServers": {}}')
    command("install", "cursor", "--yes")
    changed = json.loads(user.read("cursor") or b"") | {"theme": "light"}
    user.write("cursor", json.dumps(changed))

    command("uninstall", "cursor", "--yes")

    assert json.loads(user.read("cursor") or b"") == {"mcpServers": {}, "theme": "light"}


def test_uninstall_without_an_entry_says_so(command, user):
    user.write("cursor", "{}")

    done = command("uninstall", "cursor", "--yes")

    assert (done.code, done.out) == (0, "✓ Cursor: it was not installed\n")


# Other commands


def test_print_shows_an_entry_and_writes_nothing(command, tmp_path):
    done = command("install", "--print", "--default-region", "NO")

    entry = json.loads(done.out)["mcpServers"][NAME]
    assert Path(entry["command"]).is_absolute()
    assert entry["env"]["CONTACTS_MCP_DEFAULT_REGION"] == "NO"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", INSTALL_HOSTS)
def test_print_for_a_host_is_in_its_format(command, user, host):
    printed = command("install", "--print", host)
    user.write(host, printed.out)

    assert list(user.entries(host)) == [NAME]
    assert str(user.file(host)) in printed.err


def test_list_shows_each_host_with_its_state(command, user):
    user.write("cursor", None)
    user.write("zed", "{")
    user.write("gemini", json.dumps({"mcpServers": {NAME: {"command": "other"}}}))
    command("install", "windsurf", "--yes")

    states = {row["host"]: row["state"] for row in json.loads(command("install", "--list", "--json").out)}

    assert states.keys() == INSTALL_HOSTS.keys()
    assert states["cursor"] == "not installed"
    assert states["codex"] == "host not found"
    assert states["windsurf"] == "installed"
    assert states["zed"] == "its file cannot be read"
    assert states["gemini"] == "has another program of this name"
    assert "windsurf" in command("install", "--list").out


@pytest.mark.parametrize("arguments", [["install"], ["uninstall"], ["install", "--print"]], ids=str)
def test_misspelled_host_gets_the_nearest_name(command, arguments):
    done = command(*arguments, "claude-dektop")

    assert done.code == 2
    assert 'did you mean "claude-desktop"?' in done.err


# The command that is written


def test_command_in_an_environment_is_its_script(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "CACHEDIR.TAG").touch()  # uv marks each virtual environment, too
    python = tmp_path / "bin" / "python"

    assert find_command({}, tmp_path, python) == (str(python), ("-m", "contacts_mcp"))
    (tmp_path / "bin" / "contacts-mcp").touch()
    assert find_command({}, tmp_path, python) == (str(tmp_path / "bin" / "contacts-mcp"), ())


def test_command_in_the_cache_of_uv_is_uvx(tmp_path):
    cached = tmp_path / "cache" / "archive-v0" / "abc"
    cached.mkdir(parents=True)
    (tmp_path / "cache" / "CACHEDIR.TAG").touch()
    uv = tmp_path / "uv"
    uv.touch(mode=0o755)

    only_uv = find_command({"PATH": str(tmp_path)}, cached, cached / "bin" / "python")
    (tmp_path / "uvx").touch()
    both = find_command({"UV": str(uv), "PATH": ""}, cached, cached / "bin" / "python")

    assert only_uv == (str(uv), ("tool", "run", "wayscloud-contacts-mcp"))
    assert both == (str(tmp_path / "uvx"), ("wayscloud-contacts-mcp",))
    with pytest.raises(ValueError, match="uv was not found"):
        find_command({"PATH": str(tmp_path / "cache")}, cached, cached / "bin" / "python")
