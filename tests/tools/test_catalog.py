"""The catalog as data: names, texts, schemas, hints."""

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts_mcp.contract import CALLS, Risk
from contacts_mcp.tools import ENDPOINTS, TOOLS, WORKFLOWS, Tool, UnknownTools, choose_tools, parse_arguments
from counting import count_tokens

NAMES = (
    "list_contacts create_contact get_contact update_contact delete_contact gdpr_delete_contact list_contact_groups "
    "create_contact_group get_contact_group update_contact_group delete_contact_group list_group_members "
    "add_group_members remove_group_member"
).split()
JOBS = (
    "find_contacts import_contacts export_contacts find_duplicate_contacts merge_contacts update_matching_contacts "
    "add_matching_to_group check_group_audience"
).split()

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def nodes(schema: Any) -> list[dict[str, Any]]:
    """Every object inside a schema."""
    if isinstance(schema, dict):
        return [schema, *(node for child in schema.values() for node in nodes(child))]
    return [node for child in schema for node in nodes(child)] if isinstance(schema, list) else []


def test_there_is_one_tool_for_each_documented_endpoint() -> None:
    """The names are fixed: agents and their instructions rely on them."""
    assert [tool.name for tool in ENDPOINTS] == NAMES
    assert [call.tool_name() for call in CALLS] == NAMES


def test_workflow_tools_come_after_the_endpoints() -> None:
    """Their names are fixed as well, and each toolset has a name of its own."""
    assert [tool.name for tool in WORKFLOWS] == JOBS
    assert [tool.name for tool in choose_tools(only=["workflows"])] == JOBS
    assert [tool.name for tool in choose_tools(only=["endpoints"])] == NAMES
    assert [tool.name for tool in choose_tools(only=["endpoints", "find_contacts"])] == [*NAMES, "find_contacts"]
    assert choose_tools() == TOOLS


def test_the_whole_list_is_short_for_a_model() -> None:
    """All 22 tools take less than 4,200 tokens (o200k) of every conversation."""
    seen = [{"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema} for tool in TOOLS]
    text = json.dumps(seen, ensure_ascii=False, separators=(",", ":"))

    assert count_tokens(text) < 4_200


@pytest.mark.parametrize("tool", WORKFLOWS, ids=lambda tool: tool.name)
def test_a_workflow_tool_says_when_another_is_the_right_one(tool: Tool) -> None:
    """Whoever has never seen it can choose between it and what stands beside it."""
    assert (
        set(re.findall(r"[a-z]+(?:_[a-z]+)+", tool.description)) & {*NAMES, *JOBS} - {tool.name}
        or "SMS" in tool.description
    )


@each_tool
def test_names_and_descriptions_are_within_what_hosts_take(tool: Tool) -> None:
    """Hosts prefix and cut names, and models read at most three sentences."""
    assert re.fullmatch(r"[a-z][a-z_]{1,23}", tool.name)
    assert 1 <= len(re.findall(r"[.;](?:\s|$)", tool.description)) <= 3
    assert len(tool.description) <= 1024
    assert tool.description.endswith(".")


@each_tool
@pytest.mark.parametrize("side", ["input_schema", "output_schema"])
def test_schemas_hold_nothing_that_a_host_rejects(tool: Tool, side: str) -> None:
    """No combinators, references, nullable types, patterns, null defaults or formats."""
    schema = getattr(tool, side)

    assert schema["type"] == "object"
    jsonschema.Draft202012Validator.check_schema(schema)
    for node in nodes(schema):
        if "type" not in node or not isinstance(node["type"], str):
            continue  # the map of properties
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
def test_inputs_are_closed(tool: Tool) -> None:
    """An argument that a tool does not know is an error, not a silence."""
    assert tool.input_schema["additionalProperties"] is False


@each_tool
def test_hints_follow_from_the_risk(tool: Tool) -> None:
    """A host may show a deletion as one and let a read pass."""
    assert tool.annotations["readOnlyHint"] is (tool.risk is Risk.READ)
    assert tool.annotations["destructiveHint"] is (tool.risk in (Risk.DESTROY, Risk.ERASE))
    assert tool.annotations["idempotentHint"] is (not tool.name.startswith(("create", "gdpr")))


def test_what_destroys_is_known_as_such() -> None:
    """What can delete, erase or overwrite many at once, and no less."""
    risks = {tool.name: tool.risk for tool in TOOLS}

    assert {name for name, risk in risks.items() if risk is Risk.DESTROY} == {
        "delete_contact",
        "delete_contact_group",
        "merge_contacts",
        "update_matching_contacts",
        "import_contacts",
    }
    assert {name for name, risk in risks.items() if risk is Risk.ERASE} == {"gdpr_delete_contact"}


def test_read_only_leaves_the_reads() -> None:
    """Nothing that writes is even listed."""
    assert {tool.risk for tool in choose_tools(read_only=True)} == {Risk.READ}


def test_an_unknown_tool_in_a_setting_is_an_error_that_names_it() -> None:
    """A slip in a list of tools never switches on more than was meant."""
    with pytest.raises(UnknownTools, match="no such tool here: list_contact; there are list_contacts,"):
        choose_tools(only=["list_contact", "get_contact"])


def from_schema(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Values that a schema allows."""
    match schema["type"]:
        case "string" if "enum" in schema:
            return st.sampled_from(schema["enum"])
        case "string" if name.endswith(("_id", "_ids")):
            return st.uuids().map(str)
        case "string":
            return st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "array":
            return st.lists(from_schema(schema["items"], name), min_size=1, max_size=3)
        case kind:
            raise AssertionError(kind)


@each_tool
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_schema_allows_is_accepted(tool: Tool, data: st.DataObject) -> None:
    """The schema and the validation are two writings of one thing."""
    required = tool.input_schema.get("required", [])
    properties = tool.input_schema["properties"]
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
