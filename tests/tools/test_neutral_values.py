"""A client that must fill in every argument can leave any of them out: each optional argument has a neutral value."""

import json
import re
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.tools import TOOLS, Tool, parse_arguments
from contacts_mcp.tools._references import REFERENCES
from endpoint_cases import CASES, RECORDS
from support.arguments import needed_arguments
from support.hosts import Person, each_era, host_of_service, with_ids

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
_EMPTY_VALUES = re.compile(r": an empty value .* use clear_fields")
"""How an update without a change names the arguments that were given without a value."""
ID, OTHER_ID = "a1b2c3d4-5678-9abc-def0-123456789abc", "b1b2c3d4-5678-9abc-def0-123456789abc"
OLA = {"id": ID, "type": "company", "name": "Ola Nordmann", "phone_number": "+4799999999"}
KARI = {**OLA, "id": OTHER_ID, "name": "Kari Moe"}
GROUPS = [{"id": ID, "name": "Choir"}]
ANSWER = {**OLA, "contacts": [OLA], "members": [KARI], "groups": GROUPS, "total": 1, "added": 1, "extensions": []}
ANSWER["was_deleted"] = True
REQUIRED = {
    "contact_id": ID,
    "group_id": ID,
    "keep_id": ID,
    "merge_ids": [OTHER_ID],
    "contact_ids": [ID],
    "name": "Ola",
    "query": "Ola",
    "reason": "Request of 3 March",
}
CASE_ARGUMENTS = {case.tool: with_ids(case.arguments, dict.fromkeys(RECORDS, ID)) for case in CASES}
ALSO_NEEDED = {
    **{case.tool: CASE_ARGUMENTS[case.tool] for case in CASES if case.request.startswith("PATCH")},
    "import_contacts": {"content": "Name,Phone\nKari Moe,+4790000001\n"},
    "update_matching_contacts": {"add_tags": ["vip"]},
}

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


def needed(tool: Tool) -> dict[str, Any]:
    """The fewest arguments with which the tool does something."""
    given = CASE_ARGUMENTS.get(tool.name, {}) | REQUIRED
    return {name: given[name] for name in needed_arguments(tool)} | ALSO_NEEDED.get(tool.name, {})


def neutral_values(schema: dict[str, Any]) -> list[Any]:
    """What a client may fill in for an optional argument, the value that its description names first."""
    named = {"string": "", "array": [], "object": {}}
    first = schema.get("default", named.get(schema["type"]))
    zero = [0] if schema["type"] == "integer" else []
    return [first, *zero, None, "", "null", *([[]] if schema["type"] == "array" else [])]


def filled(tool: Tool, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments with every other one at the neutral value that its description names."""
    properties = tool.input_schema["properties"]
    return {name: neutral_values(schema)[0] for name, schema in properties.items()} | given


@each_tool
def test_description_names_allowed_values_and_defaults(tool: Tool) -> None:
    """Some clients drop `enum`, `default` and `maximum`."""
    for name, schema in tool.input_schema["properties"].items():
        text = schema.get("description", "").lower()
        assert all(value in text for value in schema.get("items", schema).get("enum", ())), name
        if "default" in schema:
            value = schema["default"]
            assert f"{value} (default)" in text or f"default {json.dumps(value)}" in text, name
        if "maximum" in schema:
            assert f"1 to {schema['maximum']}" in text, name


@each_tool
def test_each_optional_argument_has_a_neutral_value(tool: Tool) -> None:
    """A choice, a number and a boolean have a default; the description says that empty values are ignored.

    Of an id and a name one is given, so that it needs no description to leave the other empty.
    """
    either = {name for each in REFERENCES for name in (each.by_id, each.by_name)}
    required = {*tool.input_schema.get("required", ()), *either}
    for name, schema in tool.input_schema["properties"].items():
        if name not in required and (schema["type"] not in ("string", "array") or "enum" in schema):
            assert schema["default"] is not None, name
        elif name not in required:
            assert "Empty is ignored" in tool.description


@each_tool
@given(data=st.data())
@settings(max_examples=20)
def test_neutral_values_equal_absent_ones(tool: Tool, data: st.DataObject) -> None:
    """In any combination, the parsed arguments are the same, and so is the error if too few are given."""
    base = data.draw(st.sampled_from([needed(tool), {}]))
    others = {name: schema for name, schema in tool.input_schema["properties"].items() if name not in base}
    optional = {name: schema for name, schema in others.items() if name not in tool.input_schema.get("required", ())}
    filling = st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(neutral_values(schema)) for name, schema in optional.items()}
    )

    assert _parsed(tool, {**base, **data.draw(filling)}) == _parsed(tool, base)


def _parsed(tool: Tool, arguments: dict[str, Any]) -> Any:
    try:
        parsed = parse_arguments(tool.arguments, tool.input_schema, arguments).arguments
    except ValidationFailed as refused:
        return _EMPTY_VALUES.sub("", str(refused))
    return parsed, parsed.model_fields_set


@each_era
@each_tool
async def test_call_with_every_argument_does_what_the_short_call_does(tool: Tool, era: str) -> None:
    """The same question, the same requests to the service, the same answer."""
    arguments = needed(tool)
    if "apply" in tool.input_schema["properties"]:
        plan, _, _ = await _observed(tool, arguments, era)
        arguments |= {"apply": True, "plan": plan["plan"]}

    assert await _observed(tool, filled(tool, arguments), era) == await _observed(tool, arguments, era)


async def _observed(tool: Tool, arguments: dict[str, Any], era: str) -> tuple[dict[str, Any], Any, list[Any]]:
    """A call's answer, the questions to a person, and the requests to the service."""
    requests: list[Any] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append((request.method, str(request.url), request.content))
        return httpx.Response(200, json=KARI if OTHER_ID in request.url.path else ANSWER)

    decision = tool.wording.yes if tool.wording else "delete"
    person = Person({"decision": decision, "typed": OLA["name"]})
    async with host_of_service(respond, era, person) as service:
        answer = await service.call(tool.name, **arguments)
    for volatile in ("uri", "file"):
        answer.pop(volatile, None)
    assert requests
    answer = json.loads(_TIME.sub("TIME", json.dumps(answer)))
    return answer, [question.message for question in person.asked], requests
