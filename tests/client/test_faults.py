"""Statuses and error bodies become typed errors; waits that a service asks for are read."""

import json
from datetime import UTC, datetime
from functools import partial

import pytest

from contacts_mcp import contract as api
from contacts_mcp.client._credentials import quote_without_keys
from contacts_mcp.client._responses import error_for_status
from contacts_mcp.client._retry import AttemptFailed, RetryPolicy, parse_retry_after

NOW = datetime(2025, 1, 15, 9, 30, tzinfo=UTC)


def read(status, content, method="GET"):
    return error_for_status(method, status, json.dumps(content).encode(), partial(quote_without_keys, None))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, api.ValidationFailed),
        (401, api.AuthenticationFailed),
        (403, api.PermissionDenied),
        (404, api.NotFound),
        (409, api.Conflict),
        (413, api.ValidationFailed),
        (422, api.ValidationFailed),
        (429, api.RateLimited),
        (405, api.ServerFault),
        (410, api.ServerFault),
        (418, api.ServerFault),
        (500, api.ServerFault),
        (599, api.ServerFault),
        (777, api.ServerFault),
    ],
)
@pytest.mark.parametrize("content", [{}, None, [], "no", 5, {"error": None}, {"error": []}, {"detail": {"a": 1}}])
def test_a_status_has_its_error_whatever_the_body(status, expected, content):
    """A body that says nothing is no trouble."""
    error = read(status, content)

    assert type(error) is expected
    assert str(status) in str(error)


def test_the_documented_body_names_code_field_and_expectation_but_not_the_value():
    """`provided` is what somebody typed."""
    details = {"field": "phone_number", "provided": "Ola's number", "expected": "E.164"}
    error = read(400, {"error": {"code": "INVALID_PARAMETER", "message": "Invalid number", "details": details}})

    assert error.faults == (api.FieldFault("phone_number", '"Invalid number", expected "E.164"'),)
    assert "INVALID_PARAMETER" in str(error)
    assert "Ola" not in str(error)


def test_fastapis_list_names_each_field_without_the_part_of_the_request():
    """`body`, `query` and `path` are left out, and so is `input`."""
    detail = [
        {"loc": ["body", "tags", 0], "msg": "too short", "input": "Ola"},
        {"loc": ["query", "page"], "msg": "not a number"},
        {"loc": "odd"},
        "odder",
    ]
    error = read(422, {"detail": detail})

    assert [fault.path for fault in error.faults] == ["tags.0", "page", ""]
    assert 'tags.0: "too short"; page: "not a number"' in str(error)
    assert "Ola" not in str(error)


@pytest.mark.parametrize(
    "content", [{"detail": "so"}, {"error": "so"}, {"message": "so"}, {"error": {"message": "so"}}]
)
def test_words_are_found_where_services_put_them(content):
    """And quoted."""
    assert '"so"' in str(read(409, content))


def test_a_body_that_is_no_json_is_not_shown():
    """A gateway's page, for instance: whatever is in it was not meant for callers."""
    message = str(error_for_status("GET", 500, b"<html>" + b"x" * 10_000, partial(quote_without_keys, None)))

    assert message == "server_fault: the service answered 500; try again later"


def test_no_more_than_ten_faults_are_told():
    """A thousand would fill the reader's window."""
    detail = [{"loc": ["body", "contact_ids", number], "msg": "bad"} for number in range(1_000)]

    assert len(read(422, {"detail": detail}).faults) == 10


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5),
        (" 0 ", 0),
        ("1.5", 1.5),
        ("Wed, 15 Jan 2025 09:30:10 GMT", 10),
        ("Wed, 15 Jan 2025 09:30:10 -0000", 10),
        ("Wed, 15 Jan 2025 09:00:00 GMT", 0),
        ("Wed, 15 Jan 2099 09:00:00 GMT", 86_400),
        ("9" * 400, 86_400),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("٥", None),
        ("Wed, 99 Jan 99999 09:00:00 GMT", None),
    ],
)
def test_a_retry_after_of_either_form_is_read_and_nonsense_is_not(header, seconds):
    """At most a day."""
    assert parse_retry_after(header, NOW) == seconds


def test_patience_ends_with_anything_but_a_setback():
    """A bug is not tried again."""
    assert RetryPolicy(idempotent=True, max_wait=20)(ValueError("bug")) is False


@pytest.mark.parametrize(
    ("idempotent", "may_have_worked", "again"), [(True, True, True), (False, True, False), (False, False, True)]
)
def test_what_may_have_worked_is_repeated_only_where_that_does_no_harm(idempotent, may_have_worked, again):
    """A create is not made twice."""
    failure = AttemptFailed(api.Unreachable("lost"), may_have_worked=may_have_worked)

    assert bool(RetryPolicy(idempotent=idempotent, max_wait=20)(failure)) is again
