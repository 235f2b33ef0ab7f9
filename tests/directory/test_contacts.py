"""The six contact routes, as documented, and answers to requests that are not valid."""

import json
import logging
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts_mcp.directory import store
from contacts_mcp.directory.api import _requests, _routes
from contacts_mcp.directory.database import now_after
from contacts_mcp.directory.store import PERSONAL_FIELDS

FULL = {
    "type": "person",
    "name": "Ola Nordmann",
    "company_name": "ACME AS",
    "phone_number": "+4799999999",
    "email": "ola@example.com",
    "tags": ["vip", "newsletter"],
    "notes": "Key contact for project X",
}
NOWHERE = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


async def test_create_returns_201_with_all_ten_fields(http):
    answer = await http.post("/v1/contacts", json=FULL)

    made = answer.json()
    assert answer.status_code == 201
    assert list(made) == ["id", *FULL, "created_at", "updated_at"]
    assert {name: made[name] for name in FULL} == FULL
    assert uuid.UUID(made["id"]).version == 4
    assert made["created_at"] == made["updated_at"]
    assert made["created_at"].endswith("Z")


async def test_create_requires_only_a_name(create):
    made = await create()

    assert made["type"] == "person"
    assert made["tags"] == []
    assert all(made[field] is None for field in ("company_name", "phone_number", "email", "notes"))


async def test_get_returns_the_created_contact_and_ids_ignore_case(http, create):
    made = await create(**FULL)

    assert (await http.get(f"/v1/contacts/{made['id']}")).json() == made
    assert (await http.get(f"/v1/contacts/{made['id'].upper()}")).json() == made


async def test_created_values_are_normalized(create):
    made = await create(
        "  Ola \t Nordmann ", company_name=" ", phone_number=" 999 99 999 ", tags=[" VIP ", "vip", "b", "B"], email=None
    )

    assert made["name"] == "Ola Nordmann"
    assert made["company_name"] is None
    assert made["phone_number"] == "999 99 999"  # not E.164, and kept
    assert made["tags"] == ["VIP", "b"]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["body", "name"]),
        ({"name": " "}, ["body", "name"]),
        ({"name": None}, ["body", "name"]),
        ({"name": 7}, ["body", "name"]),
        ({"name": "x" * 256}, ["body", "name"]),
        ({"name": "SECRET\0"}, ["body", "name"]),
        ({"name": "a", "type": "robot-SECRET"}, ["body", "type"]),
        ({"name": "a", "type": None}, ["body", "type"]),
        ({"name": "a", "company_name": "x" * 256}, ["body", "company_name"]),
        ({"name": "a", "phone_number": "1" * 65}, ["body", "phone_number"]),
        ({"name": "a", "email": "SECRET"}, ["body", "email"]),
        ({"name": "a", "email": "SECRET@exa mple.com"}, ["body", "email"]),
        ({"name": "a", "email": "x" * 321}, ["body", "email"]),
        ({"name": "a", "tags": ["t"] * 51}, ["body", "tags"]),
        ({"name": "a", "tags": "SECRET"}, ["body", "tags"]),
        ({"name": "a", "tags": ["ok", "x" * 65]}, ["body", "tags", 1]),
        ({"name": "a", "tags": [""]}, ["body", "tags", 0]),
        ({"name": "a", "notes": "x" * 10_001}, ["body", "notes"]),
    ],
)
async def test_invalid_field_is_named_and_its_value_is_not_echoed(http, listed, body, loc):
    answer = await http.post("/v1/contacts", json=body)

    (fault,) = answer.json()["detail"]
    assert answer.status_code == 422
    assert set(fault) == {"loc", "msg", "type"}
    assert fault["loc"] == loc
    assert "SECRET" not in answer.text
    assert await listed() == []


async def test_values_of_maximum_length_are_accepted(create):
    made = await create(
        "n" * 255,
        company_name="c" * 255,
        phone_number="1" * 64,
        notes="x" * 10_000,
        tags=[f"{i:064}" for i in range(50)],
    )

    assert len(made["tags"]) == 50


async def test_patch_changes_only_the_given_fields(http, create):
    made = await create(**FULL)

    changed = (await http.patch(f"/v1/contacts/{made['id']}", json={"notes": "new", "unknown": 1})).json()

    assert changed == {**made, "notes": "new", "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > made["updated_at"]
    assert (await http.get(f"/v1/contacts/{made['id']}")).json() == changed


async def test_patch_clears_null_fields_and_replaces_tags(http, create):
    made = await create(**FULL)
    cleared = dict.fromkeys(("company_name", "phone_number", "email", "notes"))

    changed = (await http.patch(f"/v1/contacts/{made['id']}", json={**cleared, "tags": ["one"]})).json()

    assert changed == {**made, **cleared, "tags": ["one"], "updated_at": changed["updated_at"]}
    assert (await http.patch(f"/v1/contacts/{made['id']}", json={"tags": None})).json()["tags"] == []


@pytest.mark.parametrize("body", [{}, {"name": "Ola  Nordmann"}, {"tags": ["vip", "newsletter"]}])
async def test_patch_without_a_change_keeps_updated_at(http, create, body):
    made = await create(**FULL)

    assert (await http.patch(f"/v1/contacts/{made['id']}", json=body)).json() == made


@pytest.mark.parametrize("field", ["name", "type"])
async def test_patch_of_a_required_field_to_null_is_rejected(http, create, field):
    made = await create()

    answer = await http.patch(f"/v1/contacts/{made['id']}", json={field: None})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


def test_updated_at_increases_after_the_clock_was_set_back():
    assert now_after("2999-01-01T00:00:00.000000Z") == "2999-01-01T00:00:00.000001Z"


async def test_deleted_contact_is_hidden_from_every_route(http, create, listed, path):
    made, other = await create(**FULL), await create("Kari")

    answer = await http.delete(f"/v1/contacts/{made['id']}")

    assert answer.status_code == 204
    assert answer.content == b""
    assert await listed() == [other["id"]]
    assert await listed(search="ola") == await listed(search="9999") == await listed(tags=["vip"]) == []
    assert (await http.get("/v1/contacts")).json()["total"] == 1
    for again in (
        await http.get(f"/v1/contacts/{made['id']}"),
        await http.patch(f"/v1/contacts/{made['id']}", json={}),
        await http.delete(f"/v1/contacts/{made['id']}"),
    ):
        assert again.status_code == 404
        assert again.json() == {"detail": "Contact not found"}


@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("GET", "ID", None),
        ("PATCH", "ID", {}),
        ("DELETE", "ID", None),
        ("POST", "ID/gdpr-delete", {"reason": "r"}),
        ("GET", "groups/ID", None),
        ("PATCH", "groups/ID", {"name": "n"}),
        ("DELETE", "groups/ID", None),
        ("GET", "groups/ID/members", None),
        ("POST", "groups/ID/members", {"contact_ids": [NOWHERE]}),
        ("DELETE", f"groups/ID/members/{NOWHERE}", None),
    ],
)
async def test_unknown_id_is_404_and_malformed_id_is_422(http, method, route, body):
    kind = "group" if route.startswith("groups") else "contact"

    unknown = await http.request(method, f"/v1/contacts/{route.replace('ID', NOWHERE)}", json=body)
    malformed = await http.request(method, f"/v1/contacts/{route.replace('ID', 'not-an-id')}", json=body)

    assert (unknown.status_code, unknown.json()) == (404, {"detail": f"{kind.title()} not found"})
    assert malformed.status_code == 422
    assert malformed.json()["detail"][0]["loc"] == ["path", f"{kind}_id"]


async def test_list_rows_have_the_documented_fields(http, create):
    made = await create(**{**FULL, "name": "Ola Bjørn Nordmann"})

    page = (await http.get("/v1/contacts")).json()

    assert {name: value for name, value in page.items() if name != "contacts"} == {
        "total": 1,
        "page": 1,
        "per_page": 50,
    }
    assert page["contacts"] == [
        {
            "id": made["id"],
            "first_name": "Ola Bjørn",
            "last_name": "Nordmann",
            "email": "ola@example.com",
            "phone_number": "+4799999999",
            "contact_type": "person",
            "tags": ["vip", "newsletter"],
        }
    ]


@given(st.text(min_size=1), st.sampled_from(["person", "company"]))
def test_joined_parts_of_a_split_name_are_the_name(text, contact_type):
    """For any name."""
    name = _requests._collapse_spaces(text)

    parts = _routes.split_name(name, contact_type)

    assert " ".join(part for part in parts if part is not None) == name


def test_company_name_is_not_split():
    assert _routes.split_name("ACME Holding AS", "company") == ("ACME Holding AS", None)


async def test_all_pages_list_each_contact_once_newest_first(create, listed):
    made = [(await create(f"Contact {number}"))["id"] for number in range(23)]

    pages = [await listed(page=page, per_page=5) for page in range(1, 7)]

    assert [len(page) for page in pages] == [5, 5, 5, 5, 3, 0]
    assert [each for page in pages for each in page] == made[::-1]


async def test_contact_created_while_paging_hides_no_other(create, listed):
    before = {(await create(f"Contact {number}"))["id"] for number in range(6)}

    first = await listed(page=1, per_page=3)
    new = await create("New")
    later = await listed(page=2, per_page=3) + await listed(page=3, per_page=3)

    assert {*first, *later} - {new["id"]} == before


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "page=1e99", f"page={10**30}", "per_page=0", "per_page=101", "type=x"]
)
async def test_invalid_query_parameter_is_named(http, query):
    answer = await http.get(f"/v1/contacts?{query}")

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.split("=")[0]]


async def test_unknown_parameters_and_blank_filters_are_ignored(http, create, listed):
    made = await create()

    assert await listed(unknown="x", search=" ", tags=[" "]) == [made["id"]]


async def test_contact_must_match_type_and_all_tags(create, listed):
    person = await create("Ola", tags=["VIP", "Ærlig"])
    company = await create("ACME", type="company", tags=["vip"])

    assert await listed(type="person") == [person["id"]]
    assert await listed(type="company") == [company["id"]]
    assert await listed(tags=["vip"]) == [company["id"], person["id"]]
    assert await listed(tags=["vip", "ærlig"]) == [person["id"]]
    assert await listed(tags=["vip", "none"]) == await listed(tags=["vi"]) == []


def test_personal_fields_are_the_fields_of_a_new_contact():
    """A field that is added to the bodies must be erased too."""
    assert set(PERSONAL_FIELDS) == set(_requests.NewContact.model_fields) - {"type"}


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"", b"[]", b"\x00", b"[" * 100_000])
async def test_body_that_is_not_a_json_object_is_422(http, body):
    answer = await http.post("/v1/contacts", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert all(set(fault) == {"loc", "msg", "type"} for fault in answer.json()["detail"])


@pytest.mark.parametrize("text", ["\ud800", "a\0b"])
@pytest.mark.parametrize("field", ["name", "company_name", "phone_number", "email", "notes", "tags"])
async def test_text_that_cannot_be_stored_is_422(http, field, text):
    body = json.dumps({"name": "a", field: [text] if field == "tags" else text})

    answer = await http.post("/v1/contacts", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["body", field]


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/v1/contacts/", 404),
        ("POST", "/v1/contacts/groups/", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("PUT", "/v1/contacts", 405),
        ("DELETE", "/v1/contacts", 405),
    ],
)
async def test_unknown_route_has_the_usual_error_and_no_redirect(http, method, url, status):
    answer = await http.request(method, url)

    assert answer.status_code == status
    assert list(answer.json()) == ["detail"]


async def test_unexpected_error_is_a_500_and_is_logged_without_data(http, monkeypatch, caplog):
    def fail(connection, tenant, values):
        raise KeyError(values["name"])

    monkeypatch.setattr(store, "create_contact", fail)
    with caplog.at_level(logging.ERROR):
        answer = await http.post("/v1/contacts", json={"name": "SECRET"})

    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal error"})
    assert "KeyError" in caplog.text
    assert "SECRET" not in caplog.text


async def test_failed_sql_of_the_program_is_a_500_and_changes_nothing(http, monkeypatch, caplog, create, listed):
    made = await create()
    monkeypatch.setattr("contacts_mcp.directory.store._contacts._new_ids", lambda number: iter([made["id"]]))

    answer = await http.post("/v1/contacts", json={"name": "SECRET"})

    assert answer.status_code == 500
    assert "IntegrityError" in caplog.text
    assert "SECRET" not in caplog.text
    assert await listed() == [made["id"]]
