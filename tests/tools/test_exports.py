"""The provider exports, by each provider's documented rules."""

import json
import re
from typing import Any

import jsonschema
import pytest

from contacts_mcp.tools import TOOLS, export_files

FILES = {name: json.loads(text) for name, text in export_files(TOOLS).items()}


def schemas(node: Any) -> list[dict[str, Any]]:
    """Every schema inside a schema."""
    children = [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]
    return [node, *(inner for child in children for inner in schemas(child))]


@pytest.mark.parametrize("tool", FILES["openai.json"], ids=lambda tool: tool["name"])
def test_openai_tools_follow_strict_mode(tool):
    """Function tools in strict mode: closed objects, all properties required, optional ones nullable, no defaults."""
    allowed = {"type", "properties", "required", "additionalProperties", "items", "enum", "description"}
    allowed |= {"minimum", "maximum", "minItems", "maxItems"}

    assert set(tool) == {"type", "name", "description", "parameters", "strict"}
    assert (tool["type"], tool["strict"]) == ("function", True)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool["name"])
    jsonschema.Draft202012Validator.check_schema(tool["parameters"])
    for node in schemas(tool["parameters"]):
        assert set(node) <= allowed
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
        if isinstance(node["type"], list):
            assert node["type"][1:] == ["null"]
            assert None in node.get("enum", [None])


@pytest.mark.parametrize("tool", FILES["anthropic.json"], ids=lambda tool: tool["name"])
def test_anthropic_tools_have_an_object_schema(tool):
    """Name, description, input_schema; no combinator at the root."""
    assert set(tool) == {"name", "description", "input_schema"}
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool["name"])
    assert tool["input_schema"]["type"] == "object"
    assert not {"anyOf", "oneOf", "allOf"} & set(tool["input_schema"])
    jsonschema.Draft202012Validator.check_schema(tool["input_schema"])


@pytest.mark.parametrize("tool", FILES["gemini.json"]["functionDeclarations"], ids=lambda tool: tool["name"])
def test_gemini_declarations_use_its_schema_subset(tool):
    """The schema subset of function declarations has no additionalProperties; enums are strings."""
    allowed = {"type", "properties", "required", "items", "enum", "description", "default"}
    allowed |= {"minimum", "maximum", "minItems", "maxItems"}

    assert set(tool) == {"name", "description", "parameters"}
    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}", tool["name"])
    for node in schemas(tool["parameters"]):
        assert set(node) <= allowed
        assert node["type"] in {"object", "string", "integer", "boolean", "array"}
        assert node["type"] == "string" or "enum" not in node
    assert tool["parameters"]["properties"]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_each_tool_has_a_document(tool):
    """Name, title, description, both schemas, annotations."""
    document = FILES[f"{tool.name}.json"]

    assert list(document) == ["name", "title", "description", "inputSchema", "outputSchema", "annotations"]
    assert document["annotations"]["title"] == tool.title
