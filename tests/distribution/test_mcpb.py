"""The bundle for Claude Desktop: its manifest, its content, and its start with blank options."""

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distribution.mcpb import build

from contacts_mcp import __version__
from distribution.project import OPTIONS, PROJECT, ROOT, SERVER_NAME, is_secret, read_json
from support.node import install, only_when_asked

MANIFEST = read_json("distribution/mcpb/manifest.json")
CONFIG = MANIFEST["server"]["mcp_config"]
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "claude-ai", "version": "1"}}
CREATE = {"name": "create_contact", "arguments": {"name": "Kari Nordmann", "phone_number": "+4790000001"}}
PYTHON = f"{sys.base_prefix}/bin/python3"
UV = [os.environ["UV"]] if "UV" in os.environ else [PYTHON, "-m", "uv"]
"""Claude Desktop has its own uv."""
_START_SECONDS = 420
"""For uv to install all dependencies on a busy machine."""


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """The files of the bundle."""
    folder = tmp_path / "content"
    folder.mkdir()
    build.collect(folder)
    return folder


def test_manifest_has_the_name_version_and_licence_of_the_package() -> None:
    assert (MANIFEST["name"], MANIFEST["version"]) == (SERVER_NAME, __version__)
    assert MANIFEST["license"] == PROJECT["license"]
    assert MANIFEST["keywords"] == PROJECT["keywords"]
    assert MANIFEST["compatibility"]["runtimes"]["python"] == PROJECT["requires-python"]


def test_form_asks_for_the_same_settings_as_the_install_command_and_requires_none() -> None:
    """Each option is passed in the variable of its setting; only the key is hidden."""
    options = MANIFEST["user_config"]

    assert set(CONFIG["env"]) == OPTIONS
    assert sorted(CONFIG["env"].values()) == sorted(f"${{user_config.{name}}}" for name in options)
    assert not any(option["required"] for option in options.values())
    for variable, reference in CONFIG["env"].items():
        option = options[reference.removeprefix("${user_config.").removesuffix("}")]
        assert option.get("sensitive", False) is is_secret(variable)
    assert options["files"]["type"] == "directory"


def test_bundle_has_what_is_needed_to_install_and_start_the_package(content: Path) -> None:
    """Its project has the same dependencies, but no tools of developers, which uv would install."""
    reduced = tomllib.loads((content / "pyproject.toml").read_text())

    assert (content / MANIFEST["server"]["entry_point"]).is_file()
    assert reduced["project"]["dependencies"] == PROJECT["dependencies"]
    assert "dependency-groups" not in reduced
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= {path.name for path in content.iterdir()}
    assert (content / reduced["tool"]["hatch"]["version"]["path"]).is_file()


def test_bundle_has_no_files_but_the_packages_own(content: Path) -> None:
    """No bytecode, environment, key or database of the computer on which it is built."""
    names = {path.relative_to(content).parts[0] for path in content.rglob("*")}

    assert names == {"manifest.json", "server.py", "pyproject.toml", "README.md", "LICENSE", "src"}
    assert {path.suffix for path in content.rglob("*") if path.is_file()} <= {
        *("", ".py", ".md", ".toml", ".json", ".html", ".typed", ".1", ".css", ".js", ".svg", ".txt", ".mako")
    }


def test_program_that_packs_is_the_one_that_is_tested() -> None:
    packages = read_json("tests/distribution/package.json")["dependencies"]

    assert f"@anthropic-ai/mcpb@{packages['@anthropic-ai/mcpb']}" == build.MCPB[-1]


def expand(text: str, folder: Path, options: dict[str, str]) -> str:
    """Replace references as Claude Desktop does: it leaves those to options that are blank."""
    text = text.replace("${__dirname}", str(folder))
    return re.sub(r"\$\{user_config\.(\w+)\}", lambda found: options.get(found[1], found[0]), text)


def launch(folder: Path, **variables: str) -> list[dict[str, Any]]:
    """Start an unpacked bundle with all options blank, create a contact, and return the answers."""
    words = [expand(word, folder, {}) for word in CONFIG["args"]]
    environment = {name: expand(value, folder, {}) for name, value in CONFIG["env"].items()}
    messages = (
        {"id": 1, "method": "initialize", "params": HELLO},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": CREATE},
    )
    process = subprocess.Popen(
        [*UV, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**variables, **environment}, text=True
    )
    timer = threading.Timer(_START_SECONDS, process.kill)
    timer.start()
    try:
        with process:
            assert process.stdin is not None and process.stdout is not None  # noqa: PT018
            for message in messages:
                process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()
            return list(_until_last(map(json.loads, process.stdout), process))
    finally:
        timer.cancel()


def _until_last(answers: Iterator[dict[str, Any]], process: Any) -> Iterator[dict[str, Any]]:
    for answer in answers:
        yield answer
        if answer.get("id") == 2:
            process.stdin.close()
            return


@only_when_asked
def test_official_program_packs_the_bundle_and_it_starts_with_all_options_blank(tmp_path: Path) -> None:
    """Unpacked and started as Claude Desktop does it; the contact goes to the embedded directory."""
    folder = Path(__file__).parent
    mcpb = [install(folder), folder / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"]
    build.pack(tmp_path / "contacts.mcpb", mcpb)
    subprocess.run([*mcpb, "unpack", tmp_path / "contacts.mcpb", tmp_path / "unpacked"], check=True)
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_")) and name != "UV"}

    answers = launch(
        tmp_path / "unpacked",
        **kept,
        HOME=str(home),
        XDG_DATA_HOME=str(home / "data"),
        PATH="/usr/bin:/bin",
        UV_CACHE_DIR=_find_uv_cache(),
        UV_PYTHON=PYTHON,  # Claude Desktop's uv downloads one
    )

    hello, created = answers[0]["result"], answers[-1]["result"]
    assert hello["serverInfo"]["version"] == __version__
    assert "embedded" in hello["instructions"]
    assert not created.get("isError")
    assert created["structuredContent"]["name"] == "Kari Nordmann"
    assert list((home / "data").rglob("contacts.db"))


def _find_uv_cache() -> str:
    """The packages that were downloaded before: the home folder of the test has none."""
    return subprocess.run([*UV, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


def test_placeholder_of_a_blank_option_is_left_as_it_is() -> None:
    """The test's own expansion does what Claude Desktop does."""
    assert expand("${user_config.files}", ROOT, {}) == "${user_config.files}"
    assert expand("${user_config.files}", ROOT, {"files": "/tmp"}) == "/tmp"
