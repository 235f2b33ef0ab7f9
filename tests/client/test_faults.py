"""Statuses and error bodies become typed errors; Retry-After is read."""

import json
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest

from contacts_mcp import contract as api
from contacts_mcp.client import ContactsClient
from contacts_mcp.client._credentials import quote_without_keys
from contacts_mcp.client._responses import error_for_status
from contacts_mcp.client._transport import AttemptFailed, RetryPolicy, parse_retry_after

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
def test_status_maps_to_its_error_for_any_body(status, expected, content):
    """A body without information is accepted."""
    error = read(status, content)

    assert type(error) is expected
    assert str(status) in str(error)


def test_documented_error_body_yields_code_field_and_expectation_without_value():
    """`provided` is personal data."""
    details = {"field": "phone_number", "provided": "Ola's number", "expected": "E.164"}
    error = read(400, {"error": {"code": "INVALID_PARAMETER", "message": "Invalid number", "details": details}})

    assert error.faults == (api.FieldFault("phone_number", '"Invalid number", expected "E.164"'),)
    assert "INVALID_PARAMETER" in str(error)
    assert "Ola" not in str(error)


def test_fastapi_error_list_yields_field_paths():
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
def test_error_message_is_found_and_quoted(content):
    assert '"so"' in str(read(409, content))


def test_error_body_that_is_not_json_is_not_shown():
    """A gateway's page, for instance, is not meant for callers."""
    message = str(error_for_status("GET", 500, b"<html>" + b"x" * 10_000, partial(quote_without_keys, None)))

    assert message == "server_fault: the service answered 500; try again later"


def test_at_most_ten_faults_are_reported():
    """A thousand would fill the reader's context window."""
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
def test_retry_after_is_parsed_in_both_forms_and_invalid_values_are_ignored(header, seconds):
    """At most a day."""
    assert parse_retry_after(header, NOW) == seconds


@pytest.mark.parametrize("max_retries", [0, 2])
async def test_request_is_repeated_at_most_max_retries_times(played, max_retries):
    client = played(lambda _: httpx.Response(503), max_retries=max_retries)

    with pytest.raises(api.ServerFault):
        await client.send(api.ListContactGroups())

    assert len(client.requests) == 1 + max_retries


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout must be more than 0 seconds"),
        ({"connect_timeout": -1}, "connect_timeout must be more than 0 seconds"),
        ({"max_retries": -1}, "max_retries must be at least 0"),
        ({"max_retry_wait": -1}, "max_retry_wait must be at least 0"),
        ({"max_connections": 0}, "max_connections must be at least 1"),
    ],
)
def test_limit_out_of_range_is_refused_with_its_name(options, message):
    with pytest.raises(ValueError, match=message):
        ContactsClient(**options)


def test_retry_policy_does_not_retry_other_exceptions():
    """A bug is not retried."""
    assert RetryPolicy(idempotent=True, max_wait=20)(ValueError("bug")) is False


@pytest.mark.parametrize(
    ("idempotent", "may_have_worked", "again"), [(True, True, True), (False, True, False), (False, False, True)]
)
def test_attempt_that_may_have_worked_is_retried_only_if_idempotent(idempotent, may_have_worked, again):
    """A create is not repeated."""
    failure = AttemptFailed(api.Unreachable("lost"), may_have_worked=may_have_worked)

    assert bool(RetryPolicy(idempotent=idempotent, max_wait=20)(failure)) is again


@pytest.mark.parametrize(
    "erase",
    [
        lambda contact_id: api.GdprDeleteContact(contact_id=contact_id, reason="Ola Nordmann asked"),
        lambda contact_id: api.EraseRecords(contact_id=contact_id, reason="Ola Nordmann asked"),
    ],
    ids=["documented", "extension"],
)
async def test_reason_that_the_directory_refuses_is_a_fault_of_that_field(tmp_path, erase):
    async with ContactsClient.for_directory(tmp_path / "contacts.db") as client:
        ola = await client.send(api.CreateContact(name="Ola Nordmann"))
        with pytest.raises(api.ValidationFailed) as refused:
            await client.send(erase(ola.id))

    assert [fault.path for fault in refused.value.faults] == ["reason"]
    assert "must not contain the contact's name" in str(refused.value)
    assert refused.value.message.count("reason:") == 1
