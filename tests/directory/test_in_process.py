"""Requests of this process get the responses that they would get over HTTP; what does not fit is left to the app."""

import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from contacts_mcp.directory import Directory, store
from contacts_mcp.directory.api import ROUTERS

Query = list[tuple[str, str]]
Send = Callable[[str, str, Query, Mapping[str, Any] | None], Awaitable[tuple[int, bytes, Mapping[str, str]]]]

MISSING = "00000000-0000-4000-8000-000000000000"
OLA = {"name": "Ola Nordmann", "phone_number": "+4790000001", "tags": ["vip"], "notes": "blåbær"}
# `$0` is the first id that a response has named, and so on.
REQUESTS: list[tuple[str, str, Query, Mapping[str, Any] | None]] = [
    ("POST", "/v1/contacts", [], OLA),  # $0
    ("POST", "/v1/contacts", [], {"name": " Kari  Nordmann ", "email": "kari@example.com"}),  # $1
    ("POST", "/v1/contacts", [], {"name": "Acme", "type": "company"}),  # $2
    ("GET", "/v1/contacts", [], None),
    ("GET", "/v1/contacts", [("type", "person"), ("tags", "vip"), ("search", "ola"), ("per_page", "1")], None),
    ("GET", "/v1/contacts", [("tags", "vip"), ("tags", "oslo")], None),
    ("GET", "/v1/contacts/$0", [], None),
    ("GET", f"/v1/contacts/{MISSING}", [], None),
    ("PATCH", "/v1/contacts/$1", [], {"email": None, "tags": ["oslo"]}),
    ("POST", "/v1/contacts/groups", [], {"name": "Board", "description": "D"}),  # $3
    ("GET", "/v1/contacts/groups", [], None),
    ("GET", "/v1/contacts/groups/$3", [], None),
    ("PATCH", "/v1/contacts/groups/$3", [], {"name": "The board"}),
    ("POST", "/v1/contacts/groups/$3/members", [], {"contact_ids": ["$0", "$1", MISSING]}),
    ("GET", "/v1/contacts/groups/$3/members", [], None),
    ("DELETE", "/v1/contacts/groups/$3/members/$1", [], None),
    ("GET", "/v1/directory", [], None),
    ("GET", "/v1/directory/contacts", [("fields", "id"), ("fields", "tags"), ("group_id", "$3")], None),
    ("POST", "/v1/directory/contacts", [], {"creates": [{"name": "Per"}, {}], "updates": [{"id": "$1", "name": "K"}]}),
    ("GET", "/v1/directory/persons/$0", [], None),
    ("POST", "/v1/directory/persons/$0/merge", [], {"merge_ids": ["$1"]}),
    ("GET", "/v1/directory/deleted", [("search", "k")], None),
    ("POST", "/v1/directory/persons/$1/restore", [], None),
    ("GET", f"/v1/directory/undo/{MISSING}", [], None),
    ("POST", f"/v1/directory/undo/{MISSING}", [], None),
    ("DELETE", "/v1/contacts/$2", [], None),
    ("POST", "/v1/contacts/$2/gdpr-delete", [], {"reason": "asked by mail"}),
    ("POST", "/v1/contacts/$0/gdpr-delete", [], {"reason": "Ola Nordmann"}),
    ("POST", "/v1/directory/persons/$0/erase", [], {"reason": "asked by mail", "also_erase": []}),
    ("GET", "/v1/directory/receipts/1", [], None),
    ("DELETE", "/v1/contacts/groups/$3", [], None),
]
REFUSED = [
    ("GET", "/v1/contacts", [("page", "0")], None),
    ("GET", "/v1/contacts", [("type", "robot")], None),
    ("GET", "/v1/contacts", [("search", "x" * 256)], None),
    ("GET", "/v1/contacts/x", [], None),
    ("GET", "/v1/contacts/groups/", [], None),
    ("GET", "/v1/directory/contacts", [], None),
    ("PUT", "/v1/contacts", [], None),
    ("POST", "/v1/contacts", [], None),
    ("POST", "/v1/contacts", [], {"name": " "}),
    ("POST", "/v1/contacts", [], {"name": "\ud800"}),
    ("POST", f"/v1/contacts/{MISSING}/gdpr-delete", [], {}),
    ("GET", "/v2", [], None),
]


@pytest.fixture
async def directory(path: Path) -> AsyncIterator[Directory]:
    async with Directory(path) as opened:
        yield opened


def fill(values: Any, ids: Sequence[str]) -> Any:
    """Replace `$0` and so on by the ids."""
    text = json.dumps(values)
    for number, each in enumerate(ids):
        text = text.replace(f"${number}", each)
    return json.loads(text)


async def run(send: Send) -> list[tuple[int, Any, str | None]]:
    """Send the requests; return status, body and Retry-After of each, with names for ids and times."""
    ids: list[str] = []
    seen = []
    for method, *rest in REQUESTS:
        path, query, body = fill(rest, ids)
        status, content, headers = await send(method, path, [tuple(each) for each in query], body)
        text = content.decode()
        ids += [each for each in re.findall(r'"id": ?"([^"]+)"', text) if each not in ids]
        for number, each in enumerate(ids):
            text = text.replace(each, f"${number}")
        text = re.sub(r'"\d{4}-\d\d-\d\dT[^"]+"', '"(time)"', text)
        text = re.sub(r'"[0-9a-f]{64}"', '"(hash)"', text)
        seen.append((status, json.loads(text or "null"), headers.get("Retry-After")))
    return seen


async def test_every_route_answers_as_over_http(tmp_path: Path) -> None:
    """In status, body and headers, also if the directory refuses the request."""
    async with Directory(tmp_path / "a.db") as direct, Directory(tmp_path / "b.db") as served:

        async def directly(method: str, path: str, query: Query, body: Mapping[str, Any] | None) -> Any:
            response = await direct.answer(method, path, query, body)
            assert response is not None, (method, path)
            return response.status_code, response.body, response.headers

        async with httpx.AsyncClient(transport=httpx.ASGITransport(served.app), base_url="http://d") as http:

            async def over_http(method: str, path: str, query: Query, body: Mapping[str, Any] | None) -> Any:
                response = await http.request(method, path, params=httpx.QueryParams(tuple(query)), json=body)
                return response.status_code, response.content, response.headers

            answers, expected = await run(directly), await run(over_http)

    for request, answer, over in zip(REQUESTS, answers, expected, strict=True):
        assert answer == over, request
    assert {status for status, *_ in answers} == {200, 201, 204, 404, 422}


def test_requests_above_use_every_route() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    for route in routes:
        assert isinstance(route, APIRoute)
        paths = [path.replace("$", MISSING[:-1]) for method, path, *_ in REQUESTS if method in (route.methods or ())]
        assert any(route.path_regex.match(path) for path in paths), route.path


@pytest.mark.parametrize(("method", "path", "query", "body"), REFUSED)
async def test_request_that_no_route_accepts_is_left_to_the_app(
    directory: Directory, method: str, path: str, query: Query, body: Mapping[str, Any] | None
) -> None:
    assert await directory.answer(method, path, query, body) is None


async def test_callers_of_a_service_are_left_to_the_app(path: Path) -> None:
    """It has to check their keys."""
    async with Directory(path, keys=True) as service:
        assert await service.answer("GET", "/v1/contacts", [], None) is None


async def test_bug_is_answered_and_logged_without_values(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("Ola Nordmann")

    monkeypatch.setattr(store, "get_contact", fail)

    with caplog.at_level(logging.ERROR):
        response = await directory.answer("GET", f"/v1/contacts/{MISSING}", [], None)

    assert response is not None
    assert (response.status_code, json.loads(bytes(response.body))) == (500, {"detail": "Internal error"})
    assert "ZeroDivisionError at" in caplog.text
    assert "Ola" not in caplog.text


async def test_directory_that_cannot_be_opened_answers_503_and_says_that_nothing_changed(tmp_path: Path) -> None:
    (tmp_path / "contacts.db").write_bytes(b"not a database, but some other file")
    async with Directory(tmp_path / "contacts.db") as directory:
        response = await directory.answer("POST", "/v1/contacts", [], OLA)

    assert response is not None
    assert response.status_code >= 500
    assert "X-Nothing-Changed" in response.headers
