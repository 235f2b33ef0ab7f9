"""Calls build requests and must define their risk; records are read in both shapes of the API documentation."""

import pytest

from contacts_mcp import contract
from endpoint_cases import CASES

ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
OTHER = "b2c3d4e5-6789-0abc-def1-234567890abc"


@pytest.mark.parametrize(
    ("call", "request_"),
    [
        (
            contract.ListContacts(type="person", tags=["a", "b"], search="ola"),
            contract.Request(
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
        (
            contract.CreateContact(name="Ola"),
            contract.Request("POST", "/v1/contacts", body={"name": "Ola", "type": "person"}),
        ),
        (
            contract.UpdateContact(contact_id=ID, email=None),
            contract.Request("PATCH", f"/v1/contacts/{ID}", body={"email": None}),
        ),
        (contract.DeleteContact(contact_id=ID), contract.Request("DELETE", f"/v1/contacts/{ID}")),
        (
            contract.AddGroupMembers(group_id=ID, contact_ids=[OTHER]),
            contract.Request("POST", f"/v1/contacts/groups/{ID}/members", body={"contact_ids": [OTHER]}),
        ),
        (
            contract.RemoveGroupMember(group_id=ID, contact_id=OTHER),
            contract.Request("DELETE", f"/v1/contacts/groups/{ID}/members/{OTHER}"),
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
    with pytest.raises(contract.ValidationFailed, match="contact_id: must be an id such as"):
        contract.GetContact(contact_id="groups")


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (contract.GetContact, "contact_id: is required"),
        (lambda: contract.GetContact(contact_id=ID, id=ID), "id: unknown argument; GetContact accepts contact_id"),
        (lambda: contract.ListContacts(type="robot"), "type: should be 'person' or 'company'"),
        (lambda: contract.CreateContact(name="Ola", tags=["vip", ""]), "tags.1: must not be empty"),
    ],
)
def test_invalid_argument_raises_a_contacts_error_with_its_name(make, fault):
    """Without pydantic's error, which would carry the values into a traceback."""
    with pytest.raises(contract.ContactsError) as refused:
        make()

    assert [str(found) for found in refused.value.faults] == [fault]
    assert str(refused.value) == f"invalid: {fault}; correct it and call again"
    assert refused.value.__suppress_context__


def test_id_may_have_any_uuid_version_and_case():
    """The page's own examples have no valid UUID version."""
    assert contract.GetContact(contact_id=f" {ID.upper()} ").contact_id == ID.upper()


@pytest.mark.parametrize("missing", ["route", "risk", "idempotent"])
def test_call_must_define_route_risk_and_idempotence(missing):
    """No call has a default risk."""
    stated = {"route": "GET /x", "risk": contract.Risk.READ, "idempotent": True}
    del stated[missing]

    with pytest.raises(TypeError, match=f"Odd must define `{missing}`"):
        type("Odd", (contract.Call[contract.Contact],), {**stated, "__module__": __name__})


def test_calls_are_those_of_the_cases_with_their_names_routes_and_risks():
    """Agents and their instructions rely on the names; the risk decides what a person is asked."""
    assert [(call.tool_name(), call.route, call.risk, call.idempotent) for call in contract.CALLS] == [
        (case.tool, case.route, case.risk, case.idempotent) for case in CASES
    ]


def test_every_call_is_public():
    assert {call.__name__ for call in contract.CALLS} <= set(contract.__all__)


@pytest.mark.parametrize("call", contract.CALLS, ids=lambda call: call.__name__)
def test_exactly_the_get_calls_are_reads(call):
    assert (call.risk is contract.Risk.READ) is call.route.startswith("GET ")
    assert call.idempotent or call.route.startswith("POST ")


def test_blank_text_is_rejected():
    with pytest.raises(contract.ValidationFailed, match="name: must not be empty"):
        contract.CreateContact(name="  ")


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
    assert name == contract.Contact.model_validate({"id": "1", **row}).name


def test_contact_type_of_a_row_is_read_as_type():
    assert contract.Contact.model_validate({"id": "1", "contact_type": "company"}).type == "company"


def test_absent_field_differs_from_null():
    row = contract.Contact.model_validate({"id": "1", "email": None, "unknown": 1})

    assert row.model_fields_set == {"id", "email"}


@pytest.mark.parametrize(
    "written",
    ["2025-01-15T09:30:00Z", "2025-01-15T09:30:00+00:00", "2025-01-15T10:30:00+01:00", "2025-01-15T09:30:00.25"],
)
def test_times_are_written_in_utc_with_z(written):
    contact = contract.Contact.model_validate({"id": "1", "created_at": written})

    assert contact.model_dump(mode="json")["created_at"] == "2025-01-15T09:30:00Z"


def test_null_tags_become_an_empty_list():
    assert contract.Contact.model_validate({"id": "1", "tags": None}).tags == []


def test_error_text_is_one_line():
    """Code, what happened, what to do next."""
    assert (
        str(contract.NotFound("no such contact"))
        == "not_found: no such contact; look the id up again; it may have been deleted"
    )
    assert str(contract.NotFound("no such contact", advice="")) == "not_found: no such contact"
    assert "wait 7 seconds" in str(contract.RateLimited("too many calls", retry_after=7.2))
    assert "wait a minute" in str(contract.RateLimited("too many calls"))
