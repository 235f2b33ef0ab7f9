"""The catalog as data: names, texts, schemas, annotations, and its exports by each provider's documented rules."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client

from contacts_mcp.app import Embedded, Platform, build_app
from contacts_mcp.contract import Risk, ValidationFailed
from contacts_mcp.directory import PostgresServer
from contacts_mcp.settings import load_settings
from contacts_mcp.tools import (
    ENDPOINTS,
    PANEL_TOOLS,
    TOOLS,
    WORKFLOWS,
    Tool,
    UnknownTools,
    choose_panel_tools,
    choose_tools,
    export_files,
    parse_arguments,
)
from contacts_mcp.tools._references import REFERENCES
from endpoint_cases import CASES
from support.arguments import needed_arguments
from support.hosts import MODERN
from support.texts import count_tokens

CONSENT = (Risk.DESTROY, Risk.ERASE)
WORKFLOW_NAMES = {tool.name for tool in WORKFLOWS}
DESTROYING = {"import_contacts", "merge_contacts", "update_matching_contacts"}
"""The workflow tools that can overwrite or delete many contacts in one call."""

FILES = {name: json.loads(text) for name, text in export_files(TOOLS).items()}

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every schema inside a schema."""
    children = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return [schema, *(node for child in children for node in nodes(child))]


def refusal(name: str, arguments: dict[str, Any]) -> str:
    (tool,) = choose_tools(only=[name])
    with pytest.raises(ValidationFailed) as refused:
        parse_arguments(tool.arguments, tool.input_schema, arguments)
    return str(refused.value)


def names(tools: Iterable[Tool]) -> list[str]:
    return [tool.name for tool in tools]


def test_each_documented_endpoint_has_one_tool():
    """Agents and their instructions rely on these names."""
    assert names(ENDPOINTS) == [case.tool for case in CASES]


def test_toolsets_choose_endpoints_or_workflows():
    """Each toolset has a name, which can be combined with names of tools."""
    assert choose_tools(only=["workflows"]) == WORKFLOWS
    assert choose_tools(only=["endpoints"]) == ENDPOINTS
    assert names(choose_tools(only=["endpoints", "find_contacts"])) == [*names(ENDPOINTS), "find_contacts"]
    assert choose_tools() == TOOLS == (*ENDPOINTS, *WORKFLOWS)


def test_excluded_tools_and_toolsets_are_left_out():
    """Also of those that are named by `only`."""
    left = choose_tools(exclude=["workflows", "delete_contact"])

    assert names(left) == [name for name in names(ENDPOINTS) if name != "delete_contact"]
    assert names(choose_tools(only=["endpoints", "find_contacts"], exclude=["endpoints"])) == ["find_contacts"]
    with pytest.raises(UnknownTools):
        choose_tools(exclude=["delete_contcat"])


def test_view_of_contacts_can_be_excluded():
    """It exists only in hosts with a panel. What the panel alone calls goes with the tools that it shows."""
    assert choose_tools(exclude=["show_contacts"]) == TOOLS
    left = names(choose_panel_tools(TOOLS, exclude=["show_contacts"]))

    assert left == [name for name in names(PANEL_TOOLS) if name != "show_contacts"]
    assert "list_duplicates" not in names(choose_panel_tools(choose_tools(exclude=["find_duplicate_contacts"])))
    with pytest.raises(UnknownTools):
        choose_tools(only=["show_contacts"])


@pytest.mark.slow
def test_all_tools_take_less_than_3200_tokens():
    """The list of tools is part of every conversation (tokens of o200k)."""
    seen = [{"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema} for tool in TOOLS]
    text = json.dumps(seen, ensure_ascii=False, separators=(",", ":"))

    assert count_tokens(text) < 3_200


@pytest.mark.parametrize("tool", WORKFLOWS, ids=lambda tool: tool.name)
def test_workflow_description_names_an_alternative(tool):
    """A model that has never seen the tool can choose between it and similar tools."""
    others = set(names(TOOLS)) - {tool.name}
    assert set(re.findall(r"[a-z]+(?:_[a-z]+)+", tool.description)) & others or "SMS" in tool.description


@each_tool
def test_names_and_descriptions_fit_the_limits_of_hosts(tool):
    """Hosts prefix and cut names; summaries have at most three sentences."""
    assert re.fullmatch(r"[a-z][a-z_]{1,23}", tool.name)
    assert 1 <= len(re.findall(r"[.;](?:\s|$)", tool.summary)) <= 3
    assert len(tool.description) <= 1024
    assert tool.description.endswith(".")


@each_tool
@pytest.mark.parametrize("side", ["input_schema", "output_schema"])
def test_schemas_contain_nothing_that_hosts_reject(tool, side):
    """No combinators, references, nullable types, patterns, null defaults or formats."""
    schema = getattr(tool, side)

    assert schema["type"] == "object"
    jsonschema.Draft202012Validator.check_schema(schema)
    for node in nodes(schema):
        assert isinstance(node["type"], str)
        assert not set(node) & {"anyOf", "oneOf", "allOf", "$ref", "$defs", "pattern", "const", "title", "nullable"}
        assert node.get("format") in (None, "date-time")
        assert node.get("default", "") is not None
        assert len(node.get("description", "")) <= 1024
        if node["type"] == "array":
            assert "items" in node
        if node["type"] == "object":
            assert "properties" in node
            assert all(len(name) <= 64 for name in node["properties"])
        if "enum" in node:
            assert node["type"] == "string"
            assert all(isinstance(value, str) for value in node["enum"])


@each_tool
@pytest.mark.parametrize("side", ["input_schema", "output_schema"])
def test_listed_schemas_do_not_say_additional_properties(tool, side):
    """google-genai fails on it, at any level; unknown arguments are refused nevertheless."""
    assert not any("additionalProperties" in node for node in nodes(getattr(tool, side)))
    assert "additionalProperties" not in json.dumps(FILES[f"{tool.name}.json"])
    assert "unknown argument" in refusal(tool.name, {"colour": "red"})


def hinted(hint: str, *, of: bool = True) -> set[str]:
    return {tool.name for tool in TOOLS if tool.annotations(open_world=False)[hint] is of}


def test_hints_of_an_endpoint_follow_from_its_request_and_risk():
    """Hosts decide by them what runs without approval; whatever can overwrite or remove is destructive."""
    destructive = {case.tool for case in CASES if case.request.startswith(("PATCH", "DELETE")) or case.risk in CONSENT}

    assert hinted("destructiveHint") - WORKFLOW_NAMES == destructive
    assert hinted("readOnlyHint") - WORKFLOW_NAMES == {case.tool for case in CASES if case.risk is Risk.READ}
    assert hinted("idempotentHint", of=False) - WORKFLOW_NAMES == {case.tool for case in CASES if not case.idempotent}


def test_hints_of_a_workflow_tell_what_a_call_can_do():
    assert hinted("destructiveHint") & WORKFLOW_NAMES == DESTROYING
    assert hinted("readOnlyHint") & WORKFLOW_NAMES == {
        "find_contacts",
        "find_duplicate_contacts",
        "check_group_audience",
        "list_deleted_contacts",
    }
    assert hinted("idempotentHint", of=False) & WORKFLOW_NAMES == {"export_contacts"}


@pytest.mark.parametrize(
    ("backend", "is_open"),
    [
        (Embedded(Path("contacts.db"), "test"), False),
        (Embedded(PostgresServer("postgresql://127.0.0.1/x", "x"), "test"), False),
        (Platform(None, "http://127.0.0.1:9"), True),
    ],
    ids=["file", "postgresql", "platform"],
)
async def test_open_world_hint_says_whether_the_platform_is_used(backend, is_open):
    app = build_app(load_settings(), backend)
    async with Client(app.server, mode=MODERN) as client:
        listed = (await client.list_tools()).tools

    assert {tool.annotations.open_world_hint for tool in listed} == {is_open}


def test_destructive_tools_have_a_destructive_risk():
    """They can delete, erase, or overwrite many contacts in one call."""
    assert {tool.name for tool in WORKFLOWS if tool.risk is Risk.DESTROY} == DESTROYING
    assert not [tool.name for tool in WORKFLOWS if tool.risk is Risk.ERASE]
    assert {tool.name: tool.risk for tool in ENDPOINTS} == {case.tool: case.risk for case in CASES}


def test_read_only_leaves_tools_that_write_nothing():
    """Tools that write are not listed, even if they only write a file."""
    assert {tool.name for tool in choose_tools(read_only=True)} == hinted("readOnlyHint")


def test_unknown_tool_in_a_setting_is_named():
    """A typing error never switches on other tools."""
    with pytest.raises(UnknownTools, match="unknown tool: list_contact; available tools: list_contacts,"):
        choose_tools(only=["list_contact", "get_contact"])


def from_schema(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Generate values that a schema allows."""
    match schema["type"]:
        case "string" if "enum" in schema:
            return st.sampled_from(schema["enum"])
        case "string" if name.endswith(("_id", "_ids")):
            return st.uuids().map(str)
        case "string":
            texts = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1)
            return texts.filter(lambda text: text != "null")  # which counts as absent
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(1, schema.get("maximum", 1_000))
        case "array":
            return st.lists(from_schema(schema["items"], name), min_size=1, max_size=3)
        case kind:
            raise AssertionError(kind)


@pytest.mark.slow
@each_tool
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_arguments_that_the_schema_allows_are_accepted(tool, data):
    """The schema and the validation agree."""
    required = needed_arguments(tool)
    references = [each for each in REFERENCES if each.by_id in tool.input_schema["properties"]]
    hidden = [data.draw(st.sampled_from([each.by_id, each.by_name])) for each in references]  # one of two is given
    required = [each for each in required if each not in hidden]
    required += [each.by_name for each in references if each.by_id in hidden]
    hidden += ["create_group", "clusters"]  # only with, or without, another argument, which no plain schema can say
    properties = {name: child for name, child in tool.input_schema["properties"].items() if name not in hidden}
    optional = {name: from_schema(child, name) for name, child in properties.items() if name not in required}
    always = {name: from_schema(properties[name], name) for name in required}
    if tool.name.startswith("update"):  # these also refuse contradictions, which no plain schema can say
        one = "name" if "name" in optional else "add_tags"
        always[one] = optional[one]
        optional = {}
    if "default_region" in optional:
        optional["default_region"] = st.sampled_from(["NO", "se"])

    arguments = data.draw(st.fixed_dictionaries(always, optional=optional))

    jsonschema.validate(arguments, tool.input_schema)
    parse_arguments(tool.arguments, tool.input_schema, arguments)


@pytest.mark.parametrize("tool", FILES["openai.json"], ids=lambda tool: tool["name"])
def test_openai_tools_follow_strict_mode(tool):
    """Function tools in strict mode: closed objects, all properties required, optional ones nullable, no defaults."""
    allowed = {"type", "properties", "required", "additionalProperties", "items", "enum", "description"}
    allowed |= {"minimum", "maximum", "minItems", "maxItems"}

    assert set(tool) == {"type", "name", "description", "parameters", "strict"}
    assert (tool["type"], tool["strict"]) == ("function", True)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool["name"])
    jsonschema.Draft202012Validator.check_schema(tool["parameters"])
    for node in nodes(tool["parameters"]):
        assert set(node) <= allowed
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
        if isinstance(node["type"], list):
            assert node["type"][1:] == ["null"]
            assert None in node.get("enum", [None])


@pytest.mark.parametrize("tool", FILES["anthropic.json"], ids=lambda tool: tool["name"])
def test_anthropic_tools_have_an_object_schema(tool):
    """Name, description, input_schema; no combinator at the root; closed, as its strict mode requires."""
    assert set(tool) == {"name", "description", "input_schema"}
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool["name"])
    assert tool["input_schema"]["type"] == "object"
    assert not {"anyOf", "oneOf", "allOf"} & set(tool["input_schema"])
    assert all(node["additionalProperties"] is False for node in nodes(tool["input_schema"]) if "properties" in node)
    jsonschema.Draft202012Validator.check_schema(tool["input_schema"])


@pytest.mark.parametrize("tool", FILES["gemini.json"]["functionDeclarations"], ids=lambda tool: tool["name"])
def test_gemini_declarations_use_its_schema_subset(tool):
    """The schema subset of function declarations has no additionalProperties; enums are strings."""
    allowed = {"type", "properties", "required", "items", "enum", "description", "default"}
    allowed |= {"minimum", "maximum", "minItems", "maxItems"}

    assert set(tool) == {"name", "description", "parameters"}
    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}", tool["name"])
    for node in nodes(tool["parameters"]):
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
