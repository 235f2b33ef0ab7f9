"""Calls build requests, and must define their risk."""

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
def test_call_builds_the_documented_request(call, request_):
    """Path fields are in the path, the others in query or body; unset fields are left out."""
    assert set(call.request().query) == set(request_.query)
    assert (call.request().method, call.request().path, call.request().body) == (
        request_.method,
        request_.path,
        request_.body,
    )


def test_invalid_id_is_rejected_before_a_request_is_built():
    """`groups` has the shape of an id in a path, and must never be one."""
    with pytest.raises(ValidationError, match="must be an id such as"):
        GetContact(contact_id="groups")


def test_id_may_have_any_uuid_version_and_case():
    """The page's own examples have no valid UUID version."""
    assert GetContact(contact_id=f" {ID.upper()} ").contact_id == ID.upper()


@pytest.mark.parametrize("missing", ["route", "risk", "idempotent"])
def test_call_must_define_route_risk_and_idempotence(missing):
    """No call has a default risk."""
    stated = {"route": "GET /x", "risk": Risk.READ, "idempotent": True}
    del stated[missing]

    with pytest.raises(TypeError, match=f"Odd must define `{missing}`"):
        type("Odd", (Call[Contact],), {**stated, "__module__": __name__})


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_exactly_the_get_calls_are_reads(call):
    assert (call.risk is Risk.READ) is call.route.startswith("GET ")
    assert call.idempotent or call.route.startswith("POST ")


def test_blank_text_is_rejected():
    with pytest.raises(ValidationError, match="must not be empty"):
        CreateContact(name="  ")
