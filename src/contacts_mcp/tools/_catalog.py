"""The catalog: every tool, which tools a server offers, and the catalog as files for model providers."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from contacts_mcp.contract import Risk
from contacts_mcp.tools._add_matching_to_group import add_matching_to_group
from contacts_mcp.tools._check_group_audience import check_group_audience
from contacts_mcp.tools._deleted_contacts import list_deleted_contacts, restore_contact
from contacts_mcp.tools._endpoints import ENDPOINTS
from contacts_mcp.tools._export_contacts import export_contacts
from contacts_mcp.tools._find_contacts import find_contacts
from contacts_mcp.tools._find_duplicate_contacts import find_duplicate_contacts
from contacts_mcp.tools._get_receipt import get_receipt
from contacts_mcp.tools._import_contacts import import_contacts
from contacts_mcp.tools._list_audience import list_audience
from contacts_mcp.tools._list_duplicates import list_duplicates
from contacts_mcp.tools._list_plan_rows import list_plan_rows
from contacts_mcp.tools._merge_contacts import merge_contacts
from contacts_mcp.tools._show_contacts import show_contacts
from contacts_mcp.tools._tool import Tool
from contacts_mcp.tools._update_matching_contacts import update_matching_contacts

WORKFLOWS: tuple[Tool, ...] = (
    find_contacts,
    import_contacts,
    export_contacts,
    find_duplicate_contacts,
    merge_contacts,
    update_matching_contacts,
    add_matching_to_group,
    check_group_audience,
    list_deleted_contacts,
    restore_contact,
)
"""Tools that do a whole job on the server in one or two calls, or what the documented API has no endpoint for."""

TOOLS: tuple[Tool, ...] = ENDPOINTS + WORKFLOWS
PANEL_TOOLS: tuple[Tool, ...] = (show_contacts, list_plan_rows, list_duplicates, list_audience, get_receipt)
"""Tools that only read, for hosts with a panel, which shows more than a model needs."""
_SHOWS = {
    "show_contacts": ("list_contacts",),
    "list_plan_rows": tuple(tool.name for tool in TOOLS if tool.plan_rows),
    "list_duplicates": ("find_duplicate_contacts",),
    "list_audience": ("check_group_audience",),
    "get_receipt": ("gdpr_delete_contact",),
}
"""The tools whose data each of them shows."""
_CLOSED = {"additionalProperties": False}  # the strict modes of OpenAI and Anthropic require it
TOOLSETS = {"endpoints": ENDPOINTS, "workflows": WORKFLOWS}  # names that stand for several tools in a setting


class UnknownTools(ValueError):
    """A setting names tools that do not exist or that it does not accept."""

    def __init__(self, names: Collection[str], known: Collection[str]) -> None:
        super().__init__(f"unknown tool: {', '.join(sorted(names))}; available tools: {', '.join(known)}")


def choose_tools(
    *,
    read_only: bool = False,
    only: Collection[str] | None = None,
    exclude: Collection[str] = (),
    extensions: bool = True,
) -> tuple[Tool, ...]:
    """Choose the tools that a server lists and runs; `only` and `exclude` name tools and toolsets. Raises UnknownTools.

    With `read_only`, none that writes anything, not even a file. Without `extensions`, none that needs one: the
    service offers only the documented API.
    """
    names = {tool.name for tool in TOOLS} if only is None else _expand(only)
    names -= _expand(set(exclude) - {show_contacts.name})  # a tool of the panel: see `choose_panel_tools`
    chosen = [tool for tool in TOOLS if tool.name in names and (tool.is_read_only or not read_only)]
    return tuple(tool for tool in chosen if extensions or tool.extension is None)


def choose_panel_tools(tools: Sequence[Tool], exclude: Collection[str] = ()) -> tuple[Tool, ...]:
    """Choose the tools that exist only in hosts with a panel, by the tools whose data they show.

    `exclude` can name those that a model can call, too: without `show_contacts` there is no view of contacts.
    """
    names = {tool.name for tool in tools}
    return tuple(tool for tool in PANEL_TOOLS if tool.name not in exclude and not names.isdisjoint(_SHOWS[tool.name]))


def _expand(names: Collection[str]) -> set[str]:
    """Return the names of tools, those of toolsets included. Raises UnknownTools."""
    _require_known(names, [*(tool.name for tool in TOOLS), *TOOLSETS])
    return {*names, *(tool.name for name in names for tool in TOOLSETS.get(name, ()))}


def require_confirmable(names: Collection[str]) -> None:
    """Raise UnknownTools if a tool to be confirmed does not exist or only reads."""
    _require_known(names, [tool.name for tool in TOOLS if tool.risk is not Risk.READ])


def _require_known(names: Collection[str], known: Collection[str]) -> None:
    if unknown := set(names) - set(known):
        raise UnknownTools(unknown, known)


def export_files(tools: Sequence[Tool]) -> dict[str, str]:
    """Export the tools as JSON texts by file name: one document per tool, and one file per model provider's API."""
    documents: dict[str, Any] = {f"{tool.name}.json": _to_mcp(tool) for tool in tools}
    documents |= {
        "openai.json": [_to_openai(tool) for tool in tools],
        "anthropic.json": [_to_anthropic(tool) for tool in tools],
        "gemini.json": {"functionDeclarations": [_to_gemini(tool) for tool in tools]},
    }
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def _to_mcp(tool: Tool) -> dict[str, Any]:
    """Return the tool as MCP's tools/list shows it on the platform."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "outputSchema": tool.output_schema,
        "annotations": tool.annotations(open_world=True),
    }


def _to_anthropic(tool: Tool) -> dict[str, Any]:
    """Return a tool with a closed schema, so that it also works in strict mode."""
    schema = {**tool.input_schema, **_CLOSED}
    return {"name": tool.name, "description": tool.description, "input_schema": schema}


def _to_openai(tool: Tool) -> dict[str, Any]:
    """Return a function tool in strict mode: every property required, optional ones nullable, no defaults."""
    schema = tool.input_schema
    required = schema.get("required", ())
    properties = {
        name: _to_strict(child, optional=name not in required) for name, child in schema["properties"].items()
    }
    parameters = {**schema, "properties": properties, "required": list(properties), **_CLOSED}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", **function, "strict": True}


def _to_strict(schema: Mapping[str, Any], *, optional: bool) -> dict[str, Any]:
    strict = {key: value for key, value in schema.items() if key != "default"}
    if optional:
        strict["type"] = [schema["type"], "null"]
        if "enum" in schema:
            strict["enum"] = [*schema["enum"], None]
    return strict


def _to_gemini(tool: Tool) -> dict[str, Any]:
    """Return a function declaration; its schema dialect has no `additionalProperties`."""
    return {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
