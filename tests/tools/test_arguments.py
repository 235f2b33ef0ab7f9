"""Arguments as models really fill them in."""

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
def test_a_filler_in_an_optional_field_counts_as_absent_and_never_as_clear(nothing: Any) -> None:
    """Several models fill every field; none of that may empty one."""
    given = {"contact_id": ID, "name": "Ola", "email": nothing, "tags": nothing, "clear_fields": nothing}

    assert parse("update_contact", given) == {"contact_id": ID, "name": "Ola"}


def test_a_person_may_be_called_null() -> None:
    """In a required field every text is meant."""
    assert parse("create_contact", {"name": "null"}) == {"name": "null"}


def test_an_array_may_arrive_as_its_json() -> None:
    """Some models encode what is nested."""
    assert parse("create_contact", {"name": "Ola", "tags": '["vip", "oslo"]'})["tags"] == ["vip", "oslo"]


def test_numbers_may_arrive_as_text() -> None:
    """'2' is page 2."""
    assert parse("list_contacts", {"page": "2"}) == {"page": 2}


def test_a_text_that_is_no_array_is_refused_by_name() -> None:
    """A lone word is not guessed to be a list."""
    assert (
        refusal("create_contact", {"name": "Ola", "tags": "vip"})
        == "invalid: tags: should be a valid list; correct it and call again"
    )


def test_each_fault_names_its_field_and_what_was_expected() -> None:
    """The model can mend all of it in one go."""
    line = refusal("list_contacts", {"type": "alien", "per_page": 500, "colour": "red"})

    assert "type: should be 'person' or 'company'" in line
    assert "per_page: should be less than or equal to 100" in line
    assert "colour: is no field of this tool; it takes type, search, tags, page, per_page" in line


def test_a_missing_field_is_named() -> None:
    """What is required is said."""
    assert refusal("create_contact", {}).startswith("invalid: name: is required")


@pytest.mark.parametrize("value", ["groups", "../groups", "1", f"{ID}/gdpr-delete", f"{ID}?x=1", ID + "\n" + ID, ""])
def test_what_is_no_id_goes_nowhere(value: str) -> None:
    """An id never names another route."""
    assert "contact_id: must be an id such as" in refusal("delete_contact", {"contact_id": value})


def test_a_refusal_never_echoes_a_value() -> None:
    """Values may be secrets, and errors end up in logs."""
    secret = "hunter2-very-secret"

    for name, arguments in (
        ("create_contact", {"name": secret, "type": secret, "tags": secret}),
        ("get_contact", {"contact_id": secret}),
        ("list_contacts", {"page": secret, "tags": [secret, 5]}),
    ):
        assert secret not in refusal(name, arguments)


def test_many_faults_are_counted_not_listed() -> None:
    """A thousand bad ids make one short line."""
    line = refusal("add_group_members", {"group_id": ID, "contact_ids": ["x"] * 900})

    assert "and 895 more" in line
    assert len(line) < 600


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "names nothing to change"),
        ({"email": "a@example.com", "clear_fields": ["email"]}, "sets and clears the same field: email"),
        ({"tags": ["a"], "add_tags": ["b"]}, "choose one"),
        ({"clear_fields": ["tags"], "remove_tags": ["b"]}, "choose one"),
        ({"clear_fields": ["name"]}, "clear_fields.0: should be 'company_name'"),
    ],
)
def test_an_update_that_contradicts_itself_is_refused(arguments: dict[str, Any], why: str) -> None:
    """Nothing is guessed about what was meant."""
    assert why in refusal("update_contact", {"contact_id": ID, **arguments})


def test_a_group_update_needs_something_to_change() -> None:
    """An empty update is a slip."""
    assert "names nothing to change" in refusal("update_contact_group", {"group_id": ID})
    assert "sets and clears" in refusal(
        "update_contact_group", {"group_id": ID, "description": "x", "clear_fields": ["description"]}
    )


@pytest.mark.parametrize("broken", ["[1", '["a"', "[" * 100_000])
def test_a_broken_array_is_refused_by_name(broken: str) -> None:
    """Half of an array is none."""
    assert "tags: should be a valid list" in refusal("create_contact", {"name": "Ola", "tags": broken})
