"""The catalog as files: one document a tool, and the same tools for the APIs of three model providers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from contacts_mcp.tools._tool import Tool


def export_files(tools: Sequence[Tool]) -> dict[str, str]:
    """File names and their JSON texts."""
    documents: dict[str, Any] = {f"{tool.name}.json": _document(tool) for tool in tools}
    documents |= {
        "openai.json": [_openai(tool) for tool in tools],
        "anthropic.json": [_anthropic(tool) for tool in tools],
        "gemini.json": {"functionDeclarations": [_gemini(tool) for tool in tools]},
    }
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def _document(tool: Tool) -> dict[str, Any]:
    """The tool as MCP's tools/list shows it."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "outputSchema": tool.output_schema,
        "annotations": tool.annotations,
    }


def _anthropic(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}


def _openai(tool: Tool) -> dict[str, Any]:
    """A function tool in strict mode: every property required, an optional one nullable, no defaults."""
    schema = tool.input_schema
    required = schema.get("required", ())
    properties = {name: _strict(child, optional=name not in required) for name, child in schema["properties"].items()}
    parameters = {**schema, "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": parameters,
        "strict": True,
    }


def _strict(schema: Mapping[str, Any], *, optional: bool) -> dict[str, Any]:
    strict = {key: value for key, value in schema.items() if key != "default"}
    if "default" in schema:
        strict["description"] = f"{schema.get('description', '')} Default {schema['default']}.".strip()
    if optional:
        strict["type"] = [schema["type"], "null"]
        if "enum" in schema:
            strict["enum"] = [*schema["enum"], None]
    return strict


def _gemini(tool: Tool) -> dict[str, Any]:
    """A function declaration, whose schema dialect has no `additionalProperties`."""
    parameters = {key: value for key, value in tool.input_schema.items() if key != "additionalProperties"}
    return {"name": tool.name, "description": tool.description, "parameters": parameters}
