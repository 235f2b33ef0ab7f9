"""Which start uses which snapshot, and what is read of a file that may be damaged or somebody else's."""

import os
import sys
from pathlib import Path

import pytest

from contacts_mcp.quick_start import _key, snapshot_folder
from contacts_mcp.quick_start._key import start_key
from contacts_mcp.quick_start._snapshot import _MAX_ANSWERS, Snapshot, file_states, read_snapshot

KEY = "k" * 64
SECRET = "wayscloud_pat_test1_THISISASECRET"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no quick starts on Windows")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "cache"


@pytest.fixture
def stored() -> Path:
    """The file of a snapshot."""
    Snapshot(KEY, {"a": '{"tools":[]}', "b": '{"tools":[]}'}).save({})
    (found,) = Path(snapshot_folder() or "").iterdir()
    return found


def test_snapshot_that_was_saved_is_read_again_and_private(stored: Path) -> None:
    found = read_snapshot(KEY)
    assert found
    assert found.results == {"a": '{"tools":[]}', "b": '{"tools":[]}'}
    assert stored.stat().st_mode & 0o777 == 0o600
    assert all(each.stat().st_mode & 0o777 == 0o700 for each in stored.parents[:2])
    assert stored.read_bytes().count(b"tools") == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "other key", "not JSON", "large"])
def test_damaged_snapshot_is_ignored_and_replaced(stored: Path, damage: str) -> None:
    content = stored.read_bytes()
    stored.write_bytes(
        {
            "cut": content[:-5],
            "changed": content.replace(b"tools", b"fools"),
            "empty": b"",
            "other key": content.replace(b"k" * 64, b"j" * 64),
            "not JSON": b"x" * 100,
            "large": content + b" " * 3_000_000,
        }[damage]
    )
    assert read_snapshot(KEY) is None
    Snapshot(KEY, {"a": "{}"}).save({})
    assert read_snapshot(KEY)


def test_snapshot_that_others_may_have_written_is_ignored(stored: Path, tmp_path: Path) -> None:
    stored.chmod(0o620)
    assert read_snapshot(KEY) is None
    stored.chmod(0o600)
    stored.parent.chmod(0o777)
    assert read_snapshot(KEY) is None
    stored.parent.chmod(0o700)
    assert read_snapshot(KEY)
    stored.rename(tmp_path / "elsewhere")
    stored.symlink_to(tmp_path / "elsewhere")
    assert read_snapshot(KEY) is None


def test_snapshot_of_another_user_is_ignored(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: stored.stat().st_uid + 1)
    assert read_snapshot(KEY) is None


def test_changed_configuration_file_makes_a_snapshot_unusable(tmp_path: Path) -> None:
    config, missing = tmp_path / "config.toml", tmp_path / "credentials"
    config.write_text("read_only = true")
    Snapshot(KEY, {"a": "{}"}).save(file_states([str(config), str(missing)]))
    assert read_snapshot(KEY)
    missing.write_text("{}")
    assert read_snapshot(KEY) is None
    missing.unlink()
    config.write_text("read_only = yes!")
    assert read_snapshot(KEY) is None


def test_snapshot_keeps_a_limited_number_of_answers_and_files() -> None:
    snapshot = Snapshot(KEY)
    for number in range(_MAX_ANSWERS + 10):
        assert snapshot.put(str(number), "{}")
    assert not snapshot.put("20", "{}")
    assert snapshot.put("20", None)
    assert len(snapshot.results) == _MAX_ANSWERS - 1
    for number in range(20):
        Snapshot(f"{number:064}"[::-1], {"a": "{}"}).save({})
    assert len(list(Path(snapshot_folder() or "").iterdir())) == 16


@pytest.mark.parametrize(
    "changed",
    [
        {"CONTACTS_MCP_READ_ONLY": "1"},
        {"contacts_mcp_tools": "list_contacts"},
        {"WAYSCLOUD_API_URL": "https://other.example.com"},
        {"WAYSCLOUD_API_KEY": "wayscloud_contacts_x"},
        {"WAYSCLOUD_TOKEN": SECRET},
        {"CONTACTS_MCP_DIRECTORY": "postgresql://me:secret@host/db"},
        {"CONTACTS_MCP_QUICK_START": "0"},
        {"HOME": "/other"},
    ],
)
def test_start_with_other_settings_has_another_key(changed: dict[str, str]) -> None:
    before = {"HOME": "/home/me", "WAYSCLOUD_API_KEY": SECRET, "SHELL": "sh"}
    assert start_key(["serve"], before) != start_key(["serve"], {**before, **changed})
    assert start_key(["serve"], before) != start_key(["serve", "--read-only"], before)
    assert start_key(["serve"], before) == start_key(["serve"], {**before, "SHELL": "zsh"})


def test_key_is_made_without_secrets() -> None:
    """Two secrets of one kind have one key, so nobody can test guesses against it."""
    for name in ("WAYSCLOUD_API_KEY", "WAYSCLOUD_TOKEN"):
        assert start_key([], {name: SECRET}) == start_key([], {name: SECRET + "x"})
    for name in ("CONTACTS_MCP_DIRECTORY", "CONTACTS_MCP_DIRECTORY_REPLICA", "CONTACTS_MCP_REDIS_URL"):
        assert start_key([], {name: "postgresql://a:b@c/d"}) == start_key([], {name: "postgresql://a:e@c/d"})
    one, other = (["--directory", f"postgresql://a:{word}@c/d"] for word in "be")
    assert start_key(one, {}) == start_key(other, {})


@pytest.mark.parametrize("blank", ["", " ", '""', "${user_config.key}", "${WAYSCLOUD_TOKEN}"])
def test_start_without_a_credential_has_another_key_than_one_with_it(blank: str) -> None:
    """Hosts also pass on what they did not expand."""
    assert start_key([], {"WAYSCLOUD_TOKEN": blank}) != start_key([], {"WAYSCLOUD_TOKEN": SECRET})


def test_every_secret_setting_is_left_out_of_the_key() -> None:
    from contacts_mcp.settings import Settings, env_name

    secret = {env_name(name) for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert secret == _key._SECRETS


def test_changed_source_file_changes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """During development the version stays the same."""
    (tmp_path / "module.py").write_text("a = 1")
    monkeypatch.setattr(_key, "_PACKAGE", str(tmp_path))
    before = start_key([], {})
    (tmp_path / "module.py").write_text("a = 10")
    assert start_key([], {}) != before


def test_other_version_of_a_dependency_changes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages"
    (installed / "mcp-2.3.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(installed)])
    before = start_key([], {})
    (installed / "mcp-2.3.0.dist-info").rename(installed / "mcp-2.4.0.dist-info")
    assert start_key([], {}) != before
