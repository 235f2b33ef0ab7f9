"""Answers to requests that are not valid, and to errors of the app itself."""

import json
import logging

import pytest

from contacts_mcp.directory import store


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
    monkeypatch.setattr("contacts_mcp.directory.store._contacts.uuid4", lambda: made["id"])

    answer = await http.post("/v1/contacts", json={"name": "SECRET"})

    assert answer.status_code == 500
    assert "IntegrityError" in caplog.text
    assert "SECRET" not in caplog.text
    assert await listed() == [made["id"]]
