"""The files for Docker's MCP catalog agree with the image, the settings and the tools."""

import json
from typing import Any

import pytest
import yaml

from contacts_mcp.tools import TOOLS, Tool
from deploy.files import image_instructions
from distribution.project import PROJECT, ROOT, SERVER_NAME, SETTINGS, is_secret
from doc_parts import UPDATE

FOLDER = ROOT / "distribution" / "docker-mcp-catalog"
SERVER = yaml.safe_load((FOLDER / "server.yaml").read_text())
CONFIG = SERVER["config"]


def _type_of(schema: dict[str, Any]) -> str:
    """The type of an argument, or of its first alternative."""
    kind = schema.get("type") or schema.get("anyOf", [{}])[0].get("type", "string")
    return str(kind if isinstance(kind, str) else kind[0])


def describe(tool: Tool) -> dict[str, Any]:
    """A tool as the catalog lists it."""
    arguments = [
        {"name": name, "type": _type_of(schema), "desc": schema.get("description", "")}
        for name, schema in tool.input_schema.get("properties", {}).items()
    ]
    return {"name": tool.name, "description": tool.summary, "arguments": arguments}


def test_tools_are_those_of_the_server() -> None:
    """UPDATE_README=1 writes them again."""
    path = FOLDER / "tools.json"
    expected = json.dumps([describe(tool) for tool in TOOLS], indent=2, ensure_ascii=False) + "\n"
    if UPDATE:
        path.write_text(expected)

    assert path.read_text() == expected


def test_container_starts_the_image_over_stdio_and_keeps_its_data() -> None:
    """The command replaces the image's own, which serves HTTP; the volume is the image's."""
    (volume,) = SERVER["run"]["volumes"]

    assert SERVER["run"]["command"] == ["serve"]
    assert image_instructions()["ENTRYPOINT"].words == ["contacts-mcp"]
    assert volume.partition(":")[2] == image_instructions()["VOLUME"].value


def test_secrets_and_variables_are_settings_and_none_is_required() -> None:
    secrets, variables = CONFIG["secrets"], CONFIG["env"]

    assert {each["env"] for each in secrets} | {each["name"] for each in variables} <= set(SETTINGS)
    assert all(is_secret(each["env"]) for each in secrets)
    assert not any(is_secret(each["name"]) for each in variables)
    assert CONFIG["parameters"]["required"] == []


def test_each_variable_takes_a_parameter_that_the_form_asks_for() -> None:
    parameters = CONFIG["parameters"]["properties"]

    assert [each["value"] for each in CONFIG["env"]] == [f"{{{{{SERVER_NAME}.{name}}}}}" for name in parameters]
    assert all(each["name"].startswith(f"{SERVER_NAME}.") for each in CONFIG["secrets"])


@pytest.mark.parametrize("field", ["name", "image", "type", "meta", "about", "source", "run", "config"])
def test_entry_has_the_fields_of_the_catalog(field: str) -> None:
    assert SERVER[field]


def test_entry_names_the_server_and_its_keywords() -> None:
    assert (SERVER["name"], SERVER["image"]) == (SERVER_NAME, f"mcp/{SERVER_NAME}")
    assert SERVER["meta"]["tags"] == PROJECT["keywords"]
