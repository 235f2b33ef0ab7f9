"""Calls as requests, and what a call has to state."""

from typing import Any

import pytest
from pydantic import ValidationError

from contacts_mcp.contract import (
    CALLS,
    AddGroupMembers,
    Call,
    Contact,
    CreateContact,
    DeleteContact,
    GetContact,
    ListContacts,
    RemoveGroupMember,
    Request,
    Risk,
    UpdateContact,
)

ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
OTHER = "b2c3d4e5-6789-0abc-def1-234567890abc"


@pytest.mark.parametrize(
    ("call", "request_"),
    [
        (
            ListContacts(type="person", tags=["a", "b"], search="ola"),
            Request(
                "GET",
                "/v1/contacts",
                [
                    ("type", "person"),
                    ("search", "ola"),
                    ("tags", "a"),
                    ("tags", "b"),
                    ("page", "1"),
                    ("per_page", "50"),
                ],
            ),
        ),
        (CreateContact(name="Ola"), Request("POST", "/v1/contacts", body={"name": "Ola", "type": "person"})),
        (UpdateContact(contact_id=ID, email=None), Request("PATCH", f"/v1/contacts/{ID}", body={"email": None})),
        (DeleteContact(contact_id=ID), Request("DELETE", f"/v1/contacts/{ID}")),
        (
            AddGroupMembers(group_id=ID, contact_ids=[OTHER]),
            Request("POST", f"/v1/contacts/groups/{ID}/members", body={"contact_ids": [OTHER]}),
        ),
        (
            RemoveGroupMember(group_id=ID, contact_id=OTHER),
            Request("DELETE", f"/v1/contacts/groups/{ID}/members/{OTHER}"),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_call_becomes_the_documented_request(call: Call[Any], request_: Request) -> None:
    """Path fields go into the path, the rest into query or body; what was left out stays out."""
    assert set(call.request().query) == set(request_.query)
    assert (call.request().method, call.request().path, call.request().body) == (
        request_.method,
        request_.path,
        request_.body,
    )


def test_ids_are_checked_before_there_is_a_request() -> None:
    """`groups` has the shape of an id in a path, and must never be one."""
    with pytest.raises(ValidationError, match="must be an id such as"):
        GetContact(contact_id="groups")


def test_an_id_may_have_any_version_and_case() -> None:
    """The page's own examples are no valid UUID versions."""
    assert GetContact(contact_id=f" {ID.upper()} ").contact_id == ID.upper()


@pytest.mark.parametrize("missing", ["route", "risk", "idempotent"])
def test_a_call_must_state_what_its_safety_depends_on(missing: str) -> None:
    """Nobody gets a default risk."""
    stated = {"route": "GET /x", "risk": Risk.READ, "idempotent": True}
    del stated[missing]

    with pytest.raises(TypeError, match=f"Odd must define `{missing}`"):
        type("Odd", (Call[Contact],), {**stated, "__module__": __name__})


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_reads_are_gets_and_nothing_else_is(call: type[Call[Any]]) -> None:
    """What only reads can be repeated, and what is no GET is no read."""
    assert (call.risk is Risk.READ) is call.route.startswith("GET ")
    assert call.idempotent or call.route.startswith("POST ")


def test_a_text_must_say_something() -> None:
    """An empty name is no name."""
    with pytest.raises(ValidationError, match="must not be empty"):
        CreateContact(name="  ")
