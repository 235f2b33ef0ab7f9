"""Validation of arguments as models write them."""

import time
from contextlib import suppress
from typing import Any

import pytest
from pydantic import Field

from contacts_mcp.contract import Tags, Text, ValidationFailed
from contacts_mcp.tools import HOST_ARGUMENTS, TOOLS, parse_arguments
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._schemas import input_schema

TOOL = {tool.name: tool for tool in TOOLS}
ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
TWO, THREE = f"2{ID[1:]}", f"3{ID[1:]}"


def parse(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    tool = TOOL[name]
    return parse_arguments(tool.arguments, tool.input_schema, arguments).arguments.model_dump(exclude_unset=True)


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
        ("list_contacts", {"page": 2.0, "per_page": " 20 "}, {"page": 2, "per_page": 20}),
        ("import_contacts", {"content": "x", "apply": "true"}, {"content": "x", "apply": True}),
        ("create_contact", {"name": "Ola", "phone_number": 4791234567}, {"name": "Ola", "phone_number": "4791234567"}),
        (
            "create_contact",
            {"name": "Ola", "phone_number": 4791234567.0},
            {"name": "Ola", "phone_number": "4791234567"},
        ),
        ("create_contact", {"name": True, "notes": 0, "email": 2.5}, {"name": "true", "notes": "0", "email": "2.5"}),
        ("create_contact", {"name": 10**20, "tags": [2024, False]}, {"name": str(10**20), "tags": ["2024", "false"]}),
        ("create_contact", {"name": "Ola", "tags": "[2024.0]"}, {"name": "Ola", "tags": ["2024"]}),
        ("create_contact", {"name": "Ola", "tags": ["vip", None, "", "null"]}, {"name": "Ola", "tags": ["vip"]}),
        ("create_contact", {"name": "Ola", "tags": [None, ""]}, {"name": "Ola"}),
        ("create_contact", {"name": "Ola", "tags": "key account"}, {"name": "Ola", "tags": ["key account"]}),
        ("create_contact", {"name": "Ola", "tags": "vip\n oslo \n"}, {"name": "Ola", "tags": ["vip", "oslo"]}),
        ("create_contact", {"name": "Ola", "type": "Company "}, {"name": "Ola", "type": "company"}),
        ("list_contacts", {"type": "all"}, {}),
        ("list_contacts", {"type": "Person", "search": "*"}, {"type": "person"}),
        ("export_contacts", {"type": "*", "format": "CSV", "dialect": "GOOGLE"}, {"dialect": "google"}),
        ("import_contacts", {"content": '["x"]', "apply": "1"}, {"content": '["x"]', "apply": True}),
        ("import_contacts", {"content": "x", "apply": " TRUE "}, {"content": "x", "apply": True}),
        ("import_contacts", {"content": "x", "apply": 1}, {"content": "x", "apply": True}),
        ("import_contacts", {"content": "x", "apply": "yes"}, {"content": "x", "apply": True}),
        ("import_contacts", {"content": "x", "apply": "False"}, {"content": "x"}),
        (
            "update_contact",
            {"contact_id": ID, "clear_fields": "Email, notes"},
            {"contact_id": ID, "clear_fields": ["email", "notes"]},
        ),
        ("get_contact", {"contact_id": [ID]}, {"contact_id": ID}),
        ("get_contact", {"contact_id": f'["{ID}"]'}, {"contact_id": ID}),
        *(
            ("merge_contacts", {"keep_id": ID, "merge_ids": given}, {"keep_id": ID, "merge_ids": [TWO, THREE]})
            for given in (f"{TWO}, {THREE}", f"{TWO} {THREE}", f"{TWO}\n{THREE}", f'["{TWO}", "{THREE}"]')
        ),
        ("merge_contacts", {"keep_id": ID, "merge_ids": TWO}, {"keep_id": ID, "merge_ids": [TWO]}),
        *(
            ("merge_contacts", {"clusters": given}, {"clusters": [[ID, TWO]]})
            for given in ([[ID, TWO], []], f'[["{ID}", "{TWO}"]]', [f'["{ID}", "{TWO}"]'], [f"{ID}, {TWO}"])
        ),
        (
            "add_group_members",
            {"group_id": ID, "contact_ids": [f"{ID},{TWO}", THREE]},
            {"group_id": ID, "contact_ids": [ID, TWO, THREE]},
        ),
    ],
    ids=str,
)
def test_values_as_models_write_them_are_understood(tool, arguments, parsed):
    """Some models encode nested values, others write a number as a number; a required text is taken literally."""
    assert parse(tool, arguments) == parsed


@pytest.mark.parametrize(
    "number", [2.0**53, 1e300, float("nan"), float("inf"), 10**5000], ids=["2^53", "1e300", "nan", "inf", "10^5000"]
)
def test_number_that_may_have_lost_digits_is_no_text(number):
    """A phone number that is wrong in its last digit would be stored silently."""
    assert "phone_number: should be a valid string" in refusal(
        "create_contact", {"name": "Ola", "phone_number": number}
    )


@pytest.mark.parametrize("value", [["Ola"], {"name": "Ola"}])
def test_list_or_object_is_no_text(value):
    assert "name: should be a valid string" in refusal("create_contact", {"name": value})


class Row(Arguments):
    name: Text
    age: int = Field(default=1, ge=1, le=9)
    tags: Tags | None = None


class Rows(Arguments):
    """Arguments with objects in a list, which no tool has yet."""

    rows: list[Row]


def parse_rows(rows: Any) -> Any:
    return parse_arguments(Rows, input_schema(Rows), {"rows": rows}).arguments.model_dump(exclude_unset=True)["rows"]


def test_objects_in_lists_are_read_like_arguments():
    """Fillers are dropped, values converted, and what the host added is ignored at every level."""
    row = {"name": 7, "age": "2", "tags": '["a"]', "_meta": {}, "sessionId": "x"}

    assert parse_rows([row, {"name": "Ola", "age": 0, "tags": "null"}]) == [
        {"name": "7", "age": 2, "tags": ["a"]},
        {"name": "Ola"},
    ]
    assert parse_rows('[{"name": "Ola"}, "{\\"name\\": \\"Kari\\"}", null]') == [{"name": "Ola"}, {"name": "Kari"}]


def test_fault_in_an_object_of_a_list_is_named_with_its_place():
    with pytest.raises(ValidationFailed, match=r"rows\.0\.nmae: unknown argument; did you mean name\?"):
        parse_rows([{"nmae": "Ola", "name": "Ola"}])


@pytest.mark.parametrize(
    "name", [*HOST_ARGUMENTS, "tool_call_id", "session_id", "taskProgress", "_meta", "_anything", "__x"]
)
def test_argument_that_the_host_adds_is_ignored(name):
    """Whatever its value is."""
    for value in ("x", 5, {"a": [1]}, None):
        assert parse("get_contact", {"contact_id": ID, name: value}) == {"contact_id": ID}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("contactId", "contact_id"),
        ("phone_numbr", "phone_number"),
        ("contact_name", "contact"),
        ("tag", "tags"),
        ("add_tag", "add_tags"),
        ("companyName", "company_name"),
    ],
)
def test_misspelt_argument_is_refused_with_the_right_name(written, meant):
    """It is never ignored: a change without it would be another change."""
    given = {"contact_id": ID, "name": "Ola", written: "x"}

    assert f"{written}: unknown argument; did you mean {meant}?" in refusal("update_contact", given)


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        (
            "create_contact",
            {"name": "Ola", "tags": "vip, oslo"},
            'tags: should be a list: write ["vip", "oslo"], or ["vip, oslo"] for a single one',
        ),
        (
            "add_group_members",
            {"group": "Kor", "contacts": "Nordmann, Ola"},
            'contacts: should be a list: write ["Nordmann", "Ola"], or ["Nordmann, Ola"] for a single one',
        ),
        ("merge_contacts", {"keep_id": ID, "merge_ids": "Ola Nordmann"}, "find_contacts finds it by a name"),
        (
            "merge_contacts",
            {"keep_id": "Kari", "merge_ids": [ID]},
            "keep_id: must be an id: find_contacts finds it by a name, number or e-mail",
        ),
        ("get_contact", {"contact_id": f"{ID}, {TWO}"}, "contact_id: takes one id, not 2: call once for each of them"),
        ("get_contact", {"contact": "all"}, "contact: cannot stand for all contacts"),
        ("add_group_members", {"group": "Kor", "contact_ids": "all"}, "add_matching_to_group without a filter"),
        ("list_contacts", {"per_page": "all"}, "per_page: cannot be all: give a number from 1 to 100"),
        ("list_contacts", {"search": "all"}, "leave search out for all contacts, or write more of the name"),
        (
            "update_contact",
            {"contact_id": ID, "clear_fields": "email, name"},
            "clear_fields.1: should be 'company_name'",
        ),
    ],
)
def test_value_with_two_meanings_is_refused_with_the_right_call(tool, arguments, why):
    """With the caller's own values, so that the next call is right."""
    assert why in refusal(tool, arguments)


@pytest.mark.parametrize("given", ["98765432, +47 912 34 567", "ola@example.com;kari@example.com", "Ola Moe\nKari Moe"])
def test_several_contacts_in_one_text_are_understood_if_no_comma_can_be_part_of_a_name(given):
    tool = TOOL["add_group_members"]

    (named,) = parse_arguments(tool.arguments, tool.input_schema, {"group_id": ID, "contacts": given}).named

    assert len(named.names) == 2


def test_text_of_many_spaces_is_split_in_linear_time():
    """A text is never searched again and again for the end of its spaces."""
    started = time.monotonic()

    for tags in (" " * 200_000 + "x", "x" + " ," * 2_000 + " " * 200_000, "1 " * 100_000):
        with suppress(ValidationFailed):
            parse("create_contact", {"name": "Ola", "tags": tags})

    assert time.monotonic() - started < 5


def test_each_fault_names_the_argument_and_what_was_expected():
    """The model can correct all of them in one call."""
    line = refusal("list_contacts", {"type": "alien", "per_page": 500, "colour": "red"})

    assert "type: should be 'any', 'person' or 'company'" in line
    assert "per_page: should be less than or equal to 100" in line
    assert "colour: unknown argument; this tool accepts type, search, tags, page, per_page" in line


@pytest.mark.parametrize("value", [f"{ID}/gdpr-delete", f"{ID}?x=1", ID[:-1], f"{ID}0"])
def test_invalid_id_is_refused(value):
    """An id cannot address another route."""
    assert "contact_id: must be an id such as" in refusal("delete_contact", {"contact_id": value})


def test_refusal_never_echoes_a_value():
    """Values may be secrets, and errors end up in logs."""
    secret = "hunter2-very-secret"

    for name, arguments in (
        ("create_contact", {"name": secret, "type": secret, "tags": secret}),
        ("list_contacts", {"page": secret, "tags": [secret, 5]}),
    ):
        assert secret not in refusal(name, arguments)


def test_many_faults_are_counted_in_a_short_line():
    """900 invalid ids make one short line."""
    line = refusal("add_group_members", {"group_id": ID, "contact_ids": [ID[:-1]] * 900})

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
