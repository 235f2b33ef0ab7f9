"""The plugin for Claude Code with its skills, and the extension for Gemini CLI, agree with the package."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from contacts_mcp import __version__
from contacts_mcp.prompts import PROMPTS
from contacts_mcp.tools import TOOLS
from distribution.project import OPTIONS, PROJECT, ROOT, SERVER_NAME, is_secret, read_json

MARKETPLACE = read_json(".claude-plugin/marketplace.json")
(ENTRY,) = MARKETPLACE["plugins"]
FOLDER = ROOT / ENTRY["source"]
PLUGIN = read_json(f"{ENTRY['source']}/.claude-plugin/plugin.json")
GEMINI = read_json("gemini-extension.json")
SKILLS = sorted((FOLDER / "skills").glob("*/SKILL.md"))
_WORDS_OF_ANSWERS = {"apply", "done", "reason", "queries", "create_group", "normalize_phones"}


def read_skill(path: Path) -> tuple[dict[str, Any], str]:
    """Return a skill's front matter and its text."""
    _, front, text = path.read_text().split("---\n", 2)
    return yaml.safe_load(front), text


def test_marketplace_lists_the_plugin_as_it_is() -> None:
    """Claude Code installs the folder that the marketplace names; the folder is inside of the repository."""
    assert {name: ENTRY[name] for name in ("name", "version", "description", "license", "keywords")} == {
        name: PLUGIN[name] for name in ("name", "version", "description", "license", "keywords")
    }
    assert ENTRY["source"].startswith("./")
    assert FOLDER.resolve().is_relative_to(ROOT)
    assert MARKETPLACE["owner"] == PLUGIN["author"]


@pytest.mark.parametrize("described", [PLUGIN, GEMINI, MARKETPLACE["metadata"]], ids=["plugin", "gemini", "market"])
def test_version_is_that_of_the_code(described: dict[str, Any]) -> None:
    assert described["version"] == __version__


def test_plugin_has_the_name_licence_and_keywords_of_the_project() -> None:
    assert PLUGIN["name"] == GEMINI["name"] == SERVER_NAME
    assert (PLUGIN["license"], PLUGIN["keywords"]) == (PROJECT["license"], PROJECT["keywords"])


@pytest.mark.parametrize("servers", [read_json(f"{ENTRY['source']}/.mcp.json"), GEMINI], ids=["claude", "gemini"])
def test_server_is_started_by_the_script_of_the_packages_name(servers: dict[str, Any]) -> None:
    (server,) = servers["mcpServers"].values()

    assert list(servers["mcpServers"]) == [SERVER_NAME]
    assert [server["command"], *server["args"]] == ["uvx", PROJECT["name"], "serve"]
    assert PROJECT["name"] in PROJECT["scripts"]


def test_plugin_passes_the_key_on_from_the_environment_and_needs_none() -> None:
    """As the documented host configuration does."""
    documented = read_json("examples/hosts/claude_code.mcp.json")["mcpServers"][SERVER_NAME]

    assert read_json(f"{ENTRY['source']}/.mcp.json")["mcpServers"][SERVER_NAME]["env"] == documented["env"]


def test_gemini_asks_for_the_same_settings_as_the_install_command() -> None:
    """Gemini CLI keeps the sensitive ones in the system's keychain."""
    settings = {each["envVar"]: each for each in GEMINI["settings"]}

    assert set(settings) == OPTIONS
    assert {name for name, each in settings.items() if each.get("sensitive")} == set(filter(is_secret, OPTIONS))


def test_plugin_has_the_two_skills_of_the_prompts_with_these_names() -> None:
    names = {prompt.name.replace("_", "-") for prompt in PROMPTS}

    assert [path.parent.name for path in SKILLS] == ["handle-erasure-request", "prepare-sms-audience"]
    assert {path.parent.name for path in SKILLS} <= names


@pytest.mark.parametrize("path", SKILLS, ids=lambda path: path.parent.name)
def test_skill_has_a_name_a_description_and_only_tools_that_exist(path: Path) -> None:
    """Every word in backticks is a tool, an argument or a field; the limits are those of the format of skills."""
    front, text = read_skill(path)

    assert set(front) == {"name", "description"}
    assert front["name"] == path.parent.name
    assert 0 < len(front["description"]) <= 1024
    assert "Use it when" in front["description"]
    assert set(re.findall(r"`([a-z_]+)`", text)) <= {tool.name for tool in TOOLS} | _WORDS_OF_ANSWERS


@pytest.mark.parametrize("path", SKILLS, ids=lambda path: path.parent.name)
def test_skill_calls_the_tools_of_the_prompt(path: Path) -> None:
    """A change of a prompt is made in the skill, too."""
    (prompt,) = [each for each in PROMPTS if each.name == path.parent.name.replace("-", "_")]
    told = prompt.fill({argument.name: "x" for argument in prompt.arguments})
    _, text = read_skill(path)

    tools = {tool.name for tool in TOOLS}
    assert tools & set(re.findall(r"[a-z_]+", told)) == tools & set(re.findall(r"`([a-z_]+)`", text))
