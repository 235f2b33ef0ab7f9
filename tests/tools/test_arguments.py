"""Validation of arguments as models write them."""

from typing import Any

import pytest

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.tools import TOOLS, parse_arguments

TOOL = {tool.name: tool for tool in TOOLS}
ID = "a1b2c3d4-5678-9abc-def0-123456789abc"


def parse(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    tool = TOOL[name]
    return parse_arguments(tool.arguments, tool.input_schema, arguments).model_dump(exclude_unset=True)


def refusal(name: str, arguments: dict[str, Any]) -> str:
    with pytest.raises(ValidationFailed) as refused:
        parse(name, arguments)
    return str(refused.value)


@pytest.mark.parametrize("nothing", [None, "", "  ", "null", []])
def test_filler_in_an_optional_argument_counts_as_absent(nothing):
    """Some models fill every field; a filler must not clear a field."""
    given = {"contact_id": ID, "name": "Ola", "email": nothing, "tags": nothing, "clear_fields": nothing}

    assert parse("update_contact", given) == {"contact_id": ID, "name": "Ola"}


@pytest.mark.parametrize(
    ("tool", "arguments", "parsed"),
    [
        ("create_contact", {"name": "null"}, {"name": "null"}),
        ("create_contact", {"name": "Ola", "tags": '["vip", "oslo"]'}, {"name": "Ola", "tags": ["vip", "oslo"]}),
        ("list_contacts", {"page": "2"}, {"page": 2}),
    ],
    ids=["required text", "array as JSON text", "number as text"],
)
def test_values_as_models_write_them_are_understood(tool, arguments, parsed):
    """Some models encode nested values; a required text is taken literally."""
    assert parse(tool, arguments) == parsed


def test_text_instead_of_an_array_is_refused_by_name():
    """A word is not taken for a list with one item."""
    assert (
        refusal("create_contact", {"name": "Ola", "tags": "vip"})
        == "invalid: tags: should be a valid list; correct it and call again"
    )


def test_each_fault_names_the_argument_and_what_was_expected():
    """The model can correct all of them in one call."""
    line = refusal("list_contacts", {"type": "alien", "per_page": 500, "colour": "red"})

    assert "type: should be 'person' or 'company'" in line
    assert "per_page: should be less than or equal to 100" in line
    assert "colour: unknown argument; this tool accepts type, search, tags, page, per_page" in line


@pytest.mark.parametrize("value", ["groups", "../groups", "1", f"{ID}/gdpr-delete", f"{ID}?x=1", ID + "\n" + ID, ""])
def test_invalid_id_is_refused(value):
    """An id cannot address another route."""
    assert "contact_id: must be an id such as" in refusal("delete_contact", {"contact_id": value})


def test_refusal_never_echoes_a_value():
    """Values may be secrets, and errors end up in logs."""
    secret = "hunter2-very-secret"

    for name, arguments in (
        ("create_contact", {"name": secret, "type": secret, "tags": secret}),
        ("get_contact", {"contact_id": secret}),
        ("list_contacts", {"page": secret, "tags": [secret, 5]}),
    ):
        assert secret not in refusal(name, arguments)


def test_many_faults_are_counted_in_a_short_line():
    """900 invalid ids make one short line."""
    line = refusal("add_group_members", {"group_id": ID, "contact_ids": ["x"] * 900})

    assert "and 895 more" in line
    assert len(line) < 600


@pytest.mark.parametrize("broken", ["[1", '["a"', "[" * 100_000])
def test_missing_or_broken_argument_is_named(broken):
    """Invalid JSON is not decoded."""
    assert refusal("create_contact", {}).startswith("invalid: name: is required")
    assert "tags: should be a valid list" in refusal("create_contact", {"name": "Ola", "tags": broken})


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        ("update_contact", {}, "names nothing to change"),
        (
            "update_contact",
            {"email": "a@example.com", "clear_fields": ["email"]},
            "sets and clears the same field: email",
        ),
        ("update_contact", {"tags": ["a"], "add_tags": ["b"]}, "choose one"),
        ("update_contact", {"clear_fields": ["tags"], "remove_tags": ["b"]}, "choose one"),
        ("update_contact", {"clear_fields": ["name"]}, "clear_fields.0: should be 'company_name'"),
        ("update_contact_group", {}, "names nothing to change"),
        ("update_contact_group", {"description": "x", "clear_fields": ["description"]}, "sets and clears"),
    ],
)
def test_empty_or_contradictory_update_is_refused(tool, arguments, why):
    """The server does not guess the intention."""
    target = "group_id" if tool == "update_contact_group" else "contact_id"

    assert why in refusal(tool, {target: ID, **arguments})
