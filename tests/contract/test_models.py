"""Records in both shapes of the API documentation."""

import pytest

from contacts_mcp.contract import Contact, NotFound, RateLimited


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"first_name": "Ola", "last_name": "Nordmann"}, "Ola Nordmann"),
        ({"first_name": "Ola", "last_name": None}, "Ola"),
        ({"first_name": "", "last_name": "Nordmann"}, "Nordmann"),
        ({"first_name": None, "last_name": None}, None),
        ({"name": "Kari", "first_name": "Ola"}, "Kari"),
        ({}, None),
    ],
)
def test_split_name_of_a_row_is_joined(row, name):
    """Rows of lists have two names, single contacts one."""
    assert name == Contact.model_validate({"id": "1", **row}).name


def test_contact_type_of_a_row_is_read_as_type():
    assert Contact.model_validate({"id": "1", "contact_type": "company"}).type == "company"


def test_absent_field_differs_from_null():
    row = Contact.model_validate({"id": "1", "email": None, "unknown": 1})

    assert row.model_fields_set == {"id", "email"}


@pytest.mark.parametrize(
    "written",
    ["2025-01-15T09:30:00Z", "2025-01-15T09:30:00+00:00", "2025-01-15T10:30:00+01:00", "2025-01-15T09:30:00.25"],
)
def test_times_are_written_in_utc_with_z(written):
    contact = Contact.model_validate({"id": "1", "created_at": written})

    assert contact.model_dump(mode="json")["created_at"] == "2025-01-15T09:30:00Z"


def test_null_tags_become_an_empty_list():
    assert Contact.model_validate({"id": "1", "tags": None}).tags == []


def test_error_text_is_one_line():
    """Code, what happened, what to do next."""
    assert (
        str(NotFound("no such contact")) == "not_found: no such contact; look the id up again; it may have been deleted"
    )
    assert str(NotFound("no such contact", advice="")) == "not_found: no such contact"
    assert "wait 7 seconds" in str(RateLimited("too many calls", retry_after=7.2))
    assert "wait a minute" in str(RateLimited("too many calls"))
