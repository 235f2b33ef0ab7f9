"""The client asks once for the service's extensions, and never assumes them."""

import json
from typing import Any

import httpx
import pytest

from contacts_mcp.contract import BatchContacts, ContactsError, CreateContact, ScanContacts, UpdateContact

ID = "a1b2c3d4-5678-9abc-def0-123456789abc"


@pytest.mark.parametrize(
    ("answer", "offered"),
    [
        (httpx.Response(200, json={"extensions": ["scan", "batch"]}), {"scan", "batch"}),
        (httpx.Response(200, json={"extensions": []}), set()),
        (httpx.Response(404, json={"detail": "Not Found"}), set()),
        (httpx.Response(405), set()),
        (httpx.Response(410), set()),
        (httpx.Response(501), set()),
    ],
)
async def test_service_that_tells_its_extensions_or_has_no_such_route_is_asked_once(
    played: Any, answer: httpx.Response, offered: set[str]
) -> None:
    client = played(lambda _: answer)

    assert await client.extensions() == offered
    assert await client.extensions() == offered
    assert len([request for request in client.requests if request.url.path == "/v1/directory"]) == 1


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("away"),
        httpx.Response(429),
        httpx.Response(503),
        httpx.Response(500),
        httpx.Response(403),
        httpx.Response(302, headers={"Location": "https://elsewhere.example/"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"contacts": []}),
        httpx.Response(200, json=["scan"]),
        httpx.Response(200, json={"extensions": "scan"}),
        httpx.Response(204),
    ],
)
async def test_failure_says_nothing_of_the_extensions_and_the_service_is_asked_again(played: Any, failure: Any) -> None:
    is_away = True

    def respond(_: httpx.Request) -> httpx.Response:
        if not is_away:
            return httpx.Response(200, json={"extensions": ["scan"]})
        if isinstance(failure, Exception):
            raise failure
        return failure

    client = played(respond)

    with pytest.raises(ContactsError):
        await client.extensions()
    is_away = False
    assert await client.extensions() == {"scan"}


async def test_scan_returns_rows_in_the_order_of_fields(played: Any) -> None:
    """Lists are sent as repeated names."""
    client = played(lambda _: httpx.Response(200, json={"fields": ["id", "name"], "rows": [[ID, "Ola"]], "next": "7"}))

    page = await client.send(ScanContacts(fields=["id", "name"], tags=["a", "b"], after="3"))

    assert (page.rows, page.next) == ([[ID, "Ola"]], "7")
    assert str(client.requests[0].url.query, "ascii") == "fields=id&fields=name&limit=1000&after=3&tags=a&tags=b"


async def test_batch_contains_the_bodies_of_the_single_calls(played: Any) -> None:
    """Absent and null differ; defaults are sent."""
    client = played(
        lambda _: httpx.Response(200, json={"results": [{"status": 201, "id": ID}, {"status": 404, "detail": "x"}]})
    )

    result = await client.send(
        BatchContacts(creates=[CreateContact(name="Ola")], updates=[UpdateContact(contact_id=ID, email=None)])
    )

    assert json.loads(client.requests[0].content) == {
        "creates": [{"name": "Ola", "type": "person"}],
        "updates": [{"id": ID, "email": None}],
    }
    assert [outcome.status for outcome in result.results] == [201, 404]
