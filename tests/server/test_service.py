"""Tools over a service that answers unlike the embedded directory."""

import json
from itertools import pairwise
from typing import Any

import anyio
import httpx
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import EmptyResult, Request

from contacts_mcp.tools import TOOLS, Tool
from support.arguments import needed_arguments
from support.hosts import MODERN, Person, each_era, host_of_service

ID = "a1b2c3d4-5678-9abc-def0-123456789abc"
OLA = {"id": ID, "type": "person", "name": "Ola Nordmann", "email": "ola@example.com", "tags": ["vip"], "notes": None}


def always(status: int, body: Any) -> Any:
    return lambda _request: httpx.Response(status, json=body)


async def erase(after: httpx.Response) -> dict[str, Any]:
    """Erase Ola from a service that reports success, and shows `after` when it is read back."""
    erased = False

    def respond(request: httpx.Request) -> httpx.Response:
        nonlocal erased
        if request.url.path.endswith("/gdpr-delete"):
            erased = True
            return httpx.Response(202)
        if request.url.path == "/v1/directory":
            return httpx.Response(404)
        if request.url.path == "/v1/contacts":
            return httpx.Response(200, json={"contacts": [], "total": 0})
        return after if erased else httpx.Response(200, json=OLA)

    async with host_of_service(respond, person=Person(content={"typed": "Ola Nordmann"})) as service:
        return await service.call("gdpr_delete_contact", contact_id=ID, reason="request")


async def test_erasure_that_leaves_data_is_reported_as_not_erased() -> None:
    """The service accepts the erasure, but still shows the data."""
    answer = await erase(httpx.Response(200, json=OLA))

    assert answer["erased"] is False
    assert answer["seen"] == "the service accepted the erasure, but still shows personal data"
    assert answer["left"] == ["email", "name", "tags"]


async def test_erasure_that_anonymizes_in_place_is_reported_as_erased() -> None:
    answer = await erase(httpx.Response(200, json={"id": ID, "type": "person", "name": "Anonymized", "tags": []}))

    assert answer["erased"]
    assert "still listed" in answer["seen"]


async def test_erasure_that_cannot_be_read_back_is_reported_as_not_erased() -> None:
    answer = await erase(httpx.Response(403))

    assert not answer["erased"]
    assert "could not be read back" in answer["seen"]


@pytest.mark.parametrize(("silent", "code", "requests"), [("GET", "unreachable", 1), ("PATCH", "outcome_unknown", 2)])
async def test_requests_of_one_call_share_its_time_limit(
    silent: str, code: str, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update reads the contact first. Clients give up a call after a while, however many requests it sends."""
    limit, left = 1.5, []
    monkeypatch.setattr("contacts_mcp.tools._time_limit.TIME_LIMIT_SECONDS", limit)

    async def respond(request: httpx.Request) -> httpx.Response:
        left.append(anyio.current_effective_deadline() - anyio.current_time())
        if request.method == silent:
            await anyio.sleep_forever()
        await anyio.sleep(limit / 5)  # the service's share of the time
        return httpx.Response(200, json=OLA)

    async with host_of_service(respond) as service:
        line = await service.error("update_contact", contact_id=ID, name="Kari")

    assert line.startswith(f"{code}: ")
    assert len(left) == requests
    assert left[0] < limit
    assert all(later < earlier - limit / 10 for earlier, later in pairwise(left))


async def test_question_for_extensions_counts_towards_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure asks first what the service offers; if it is silent, no time is left for another request."""
    limit, left = 0.5, []
    monkeypatch.setattr("contacts_mcp.tools._time_limit.TIME_LIMIT_SECONDS", limit)

    async def respond(_request: httpx.Request) -> None:
        left.append(anyio.current_effective_deadline() - anyio.current_time())
        await anyio.sleep_forever()

    async with host_of_service(respond, person=Person()) as service:
        line = await service.error("gdpr_delete_contact", contact_id=ID, reason="request")

    assert line.startswith("records_unknown: ")
    assert "nothing was changed" in line
    assert left[0] < limit
    assert all(later < limit / 10 for later in left[1:])


async def test_update_that_the_service_ignores_is_reported_as_unchanged() -> None:
    """The answer lists what changed, not what was requested."""
    async with host_of_service(always(200, OLA)) as service:
        answer = await service.call("update_contact", contact_id=ID, clear_fields=["email"], notes="new")

    assert answer["changed"] == []
    assert answer["warnings"] == ["the service did not change: notes, email"]


async def test_long_list_is_cut_and_counts_what_is_left_out() -> None:
    """Hosts limit the size of a result."""
    rows = [{"id": ID, "first_name": "x" * 1500, "tags": ["y" * 500]} for _ in range(100)]
    async with host_of_service(always(200, {"contacts": rows, "total": 500, "page": 1, "per_page": 100})) as service:
        answer = await service.call("list_contacts", per_page=100)

    assert answer["left_out"] == 100 - len(answer["contacts"])
    assert answer["note"] == "too long; call again with a smaller per_page"
    assert "next_page" not in answer
    assert 10 < len(answer["contacts"]) < 30
    assert len(json.dumps(answer)) < 42_000


async def test_huge_values_are_cut_and_notes_are_shown_longest() -> None:
    async with host_of_service(always(200, {**OLA, "name": "n" * 1_000_000, "notes": "m" * 1_000_000})) as service:
        answer = await service.call("get_contact", contact_id=ID)

    assert len(answer["name"]) < 2_100
    assert 12_000 < len(answer["notes"]) < 12_100
    assert answer["notes"].endswith("… [+988000 characters]")


async def test_hidden_characters_do_not_reach_the_model() -> None:
    """Direction, zero-width, control and tag characters are removed from answers."""
    hidden = "O\u202ela\u200b \x1b[31mN\U000e0041"
    async with host_of_service(always(200, {**OLA, "name": hidden, "tags": [hidden], "notes": "a\nb"})) as service:
        answer = await service.call("get_contact", contact_id=ID)

    assert answer["name"] == "Ola [31mN"
    assert answer["tags"] == ["Ola [31mN"]
    assert answer["notes"] == "a\nb"


async def test_question_about_a_group_of_unknown_size_says_so() -> None:
    person = Person(action="decline")
    unnamed = {"id": ID, "name": None, "members": []}
    async with host_of_service(always(200, unnamed), person=person) as service:
        await service.declined("delete_contact_group", group_id=ID)

    assert "number unknown" in person.question


async def test_contact_without_a_name_is_erased_by_typing_a_short_phrase() -> None:
    person = Person(content={"typed": "erase a1b2"})
    seen = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        is_gone = request.method == "GET" and ("POST" in seen or request.url.path == "/v1/directory")
        return httpx.Response(404 if is_gone else 200, json={"id": ID, "name": ""})

    async with host_of_service(respond, person=person) as service:
        assert (await service.call("gdpr_delete_contact", contact_id=ID, reason="request"))["erased"]

    assert 'type "erase a1b2"' in person.question


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_every_error_of_the_service_is_one_line_without_internals(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contacts_mcp.tools._job.RETRY_DELAYS_SECONDS", (0.01, 0.02))
    arguments = {
        name: {"type": "person", "reason": "request", "contact_ids": [ID]}.get(name, ID)
        for name in needed_arguments(tool)
    }
    if tool.name.startswith("update"):
        arguments["name"] = "New"
    person = Person(content={"decision": "delete", "typed": f"erase {ID[:4]}"})
    answered = 0
    async with host_of_service(lambda _: httpx.Response(answered, json={"detail": "no"}), person=person) as service:
        lines = {}
        for answered in (400, 401, 403, 404, 409, 413, 418, 422, 500, 501):
            lines[answered] = await service.error(tool.name, **arguments)

    for status, line in lines.items():
        assert "\n" not in line, status
        assert len(line) < 400, status
        assert not {"Traceback", "pydantic", "httpx"} & set(line.split()), status


async def test_unexpected_exception_is_one_line_and_logs_no_values(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the exception's type and location."""

    def respond(_request: httpx.Request) -> httpx.Response:
        raise KeyError("Ola Nordmann")

    async with host_of_service(respond) as service:
        line = await service.error("get_contact", contact_id=ID)

    assert line.startswith("internal_error: get_contact failed here")
    assert "KeyError at " in caplog.text
    assert "Nordmann" not in caplog.text + line


@each_era
async def test_unknown_tool_is_an_error_result_that_lists_the_available_tools(era: str) -> None:
    """Agent frameworks raise protocol errors as exceptions; a typo in a name is no reason to."""
    async with host_of_service(always(500, None), era) as service:
        line = await service.error("find_the_contact\u202e")

    assert line.startswith("unknown_tool: find_the_contact does not exist or is switched off here")
    assert "list_contacts" in line


@each_era
async def test_tool_list_is_deterministic_and_has_a_cache_hint(era: str) -> None:
    async with host_of_service(always(500, None), era) as service:
        first, second = [await service.client.session.list_tools() for _ in range(2)]

    assert first == second
    assert [tool.name for tool in first.tools] == [tool.name for tool in TOOLS]
    assert first.tools[0].annotations
    assert first.tools[0].annotations.read_only_hint is True
    if era == MODERN:
        assert (first.ttl_ms, first.cache_scope) == (3_600_000, "private")


async def test_unknown_method_is_a_protocol_error() -> None:
    async with host_of_service(always(500, None)) as service:
        with pytest.raises(MCPError, match="Method not found"):
            await service.client.session.send_request(Request(method="contacts/merge", params=None), EmptyResult)
