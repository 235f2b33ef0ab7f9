"""server.json, for the MCP registry, agrees with the package and with the registry's rules.

The schema 2025-12-11 is in no package of npm or PyPI, so its rules for what the file uses are written here by hand.
"""

import re

import pytest

from contacts_mcp import __version__
from distribution.project import OPTIONS, PROJECT, ROOT, SETTINGS, is_secret, read_json

SERVER = read_json("server.json")
(PACKAGE,) = SERVER["packages"]
VARIABLES = {each["name"]: each for each in PACKAGE["environmentVariables"]}


def test_server_and_package_have_the_version_of_the_code() -> None:
    assert SERVER["version"] == PACKAGE["version"] == __version__


def test_package_is_the_one_on_pypi_with_a_script_of_the_same_name() -> None:
    """A registry's client runs `uvx IDENTIFIER serve`."""
    assert PACKAGE["registryType"] == "pypi"
    assert PACKAGE["identifier"] == PROJECT["name"]
    assert PROJECT["scripts"][PROJECT["name"]] == PROJECT["scripts"]["contacts-mcp"]
    assert PACKAGE["packageArguments"] == [{"type": "positional", "value": "serve"}]


def test_readme_names_the_server_so_that_the_registry_knows_the_owner() -> None:
    """The registry looks for this line in the description of the package on PyPI."""
    names = re.findall(r"<!-- mcp-name: (\S+) -->", (ROOT / PROJECT["readme"]).read_text())

    assert names == [SERVER["name"]]


def test_every_variable_is_a_setting_and_the_options_of_a_host_are_among_them() -> None:
    assert set(VARIABLES) <= set(SETTINGS)
    assert set(VARIABLES) >= OPTIONS


@pytest.mark.parametrize("name", VARIABLES)
def test_variable_is_optional_and_marked_as_a_secret_if_it_is_one(name: str) -> None:
    variable = VARIABLES[name]

    assert set(variable) <= {"name", "description", "format", "default", "isSecret"}
    assert variable.get("isSecret", False) is is_secret(name)
    assert variable.get("format", "string") in {"string", "number", "boolean", "filepath"}
    assert 0 < len(variable["description"]) <= 100


def test_file_follows_the_rules_of_the_schema() -> None:
    """Fields, lengths and patterns of the parts that the file uses."""
    assert SERVER["$schema"] == "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
    assert set(SERVER) == {"$schema", "name", "title", "description", "version", "websiteUrl", "packages"}
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", SERVER["name"])
    assert 1 <= len(SERVER["description"]) <= 100
    assert 1 <= len(SERVER["title"]) <= 100
    assert set(PACKAGE) == {
        *("registryType", "identifier", "version", "runtimeHint", "transport"),
        *("packageArguments", "environmentVariables"),
    }
    assert PACKAGE["transport"] == {"type": "stdio"}


def test_version_is_exact() -> None:
    """The registry refuses ranges and `latest`."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", SERVER["version"])
