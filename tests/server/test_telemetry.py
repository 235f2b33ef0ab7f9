"""Metrics and spans of calls: their outcome and duration, and no data."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.shared.exceptions import MCPError
from mcp.shared.memory import create_client_server_memory_streams
from mcp.shared.message import SessionMessage
from mcp_types import EmptyResult, JSONRPCRequest, Request
from opentelemetry.trace import SpanKind, StatusCode

from contacts_mcp.app import Embedded, Platform, build_app
from contacts_mcp.client import Credential
from contacts_mcp.middleware import CURRENT_REQUEST_ID
from contacts_mcp.settings import load_settings
from support.hosts import MISSING_ID, MODERN, Person, each_era, host, host_of_service, text_of
from support.processes import API_KEY
from support.raw_hosts import modern
from support.services import page_service
from support.telemetry import CapturedTelemetry, capture_telemetry, logged

CONTACT = {"id": MISSING_ID, "type": "person", "name": "Ola Nordmann", "tags": []}


@pytest.fixture
def telemetry() -> Iterator[CapturedTelemetry]:
    with capture_telemetry() as captured:
        yield captured


def labels(span: Any) -> dict[str, Any]:
    return {name: value for name, value in span.attributes.items() if name.startswith("contacts_mcp.")}


@each_era
async def test_call_reports_outcome_and_duration(tmp_path: Path, telemetry: CapturedTelemetry, era: str) -> None:
    """Outcome, risk and consent in the SDK's span; outcome and seconds in metrics."""
    async with host(tmp_path / "contacts.db", era) as directory:
        await directory.call("create_contact", name="Ola Nordmann")
        await directory.error("get_contact", contact_id=MISSING_ID)

    done, failed = telemetry.span("tools/call create_contact"), telemetry.span("tools/call get_contact")
    assert labels(done) == {
        "contacts_mcp.outcome": "done",
        "contacts_mcp.risk": "write",
        "contacts_mcp.consent": "none_needed",
    }
    assert done.kind is SpanKind.SERVER
    assert labels(failed)["contacts_mcp.outcome"] == "failed"
    assert failed.status.status_code is StatusCode.ERROR
    assert telemetry.points("contacts_mcp.calls") == [
        ({"gen_ai.tool.name": "create_contact", "contacts_mcp.outcome": "done"}, 1),
        ({"gen_ai.tool.name": "get_contact", "contacts_mcp.outcome": "failed", "error.type": "not_found"}, 1),
    ]
    assert telemetry.count("mcp.server.operation.duration", gen_ai_tool_name="create_contact") == 1
    assert telemetry.count("mcp.server.operation.duration", error_type="not_found") == 1
    assert telemetry.count("contacts_mcp.active_calls") == 0


@each_era
@pytest.mark.parametrize(
    ("person", "counted", "outcome", "consent"),
    [
        (Person({"decision": "delete"}), "given", "done", "form"),
        (Person({"decision": "keep"}), "refused", "refused", "refused"),
        (Person({}), "refused", "refused", "refused"),
    ],
    ids=["yes", "no", "empty"],
)
async def test_confirmations_are_counted_as_asked_and_given_or_refused(
    tmp_path: Path, telemetry: CapturedTelemetry, era: str, person: Person, counted: str, outcome: str, consent: str
) -> None:
    """The last call's span has the consent."""
    person = Person(person.content)
    async with host(tmp_path / "contacts.db", era, person) as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        await directory.raw("delete_contact", contact_id=ola["id"])

    spans = telemetry.spans("tools/call delete_contact")
    asked = {"contacts_mcp.outcome": "asked", "contacts_mcp.risk": "destroy", "contacts_mcp.consent": "asked"}
    ended = {"contacts_mcp.outcome": outcome, "contacts_mcp.risk": "destroy", "contacts_mcp.consent": consent}
    assert list(map(labels, spans)) == ([asked, ended] if era == MODERN else [ended])
    assert dict(_by_kind(telemetry)) == {"asked": 1, counted: 1}


async def test_refusal_without_a_question_is_not_counted_as_confirmation(
    tmp_path: Path, telemetry: CapturedTelemetry
) -> None:
    """A host that cannot ask: the outcome is `refused`, but no person decided."""
    async with host(tmp_path / "contacts.db") as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        await directory.error("delete_contact", contact_id=ola["id"])

    assert telemetry.count("contacts_mcp.calls", contacts_mcp_outcome="refused") == 1
    assert _by_kind(telemetry) == []


async def test_preview_and_token_are_counted_as_a_confirmation(tmp_path: Path, telemetry: CapturedTelemetry) -> None:
    async with host(tmp_path / "contacts.db", guard="two-step") as directory:
        ola = await directory.call("create_contact", name="Ola Nordmann")
        preview = await directory.call("delete_contact", contact_id=ola["id"])
        token = preview["confirmation_token"]
        await directory.call("delete_contact", contact_id=ola["id"], confirmation_token=token)

    assert dict(_by_kind(telemetry)) == {"asked": 1, "given": 1}
    consents = [span.attributes["contacts_mcp.consent"] for span in telemetry.spans("tools/call delete_contact")]
    assert consents == ["asked", "two_step_not_verified"]


def _by_kind(telemetry: CapturedTelemetry) -> list[tuple[str, float]]:
    points = telemetry.points("contacts_mcp.confirmations")
    return [(found["contacts_mcp.confirmation"], value) for found, value in points]


async def test_cancelled_call_is_no_longer_active_and_counted_as_cancelled(telemetry: CapturedTelemetry) -> None:
    asked = asyncio.Event()

    async def respond(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with host_of_service(respond) as service:
        call = asyncio.create_task(service.raw("list_contacts"))
        await asyncio.wait_for(asked.wait(), 10)
        assert telemetry.count("contacts_mcp.active_calls", gen_ai_tool_name="list_contacts") == 1
        telemetry._points.clear()
        call.cancel()
        await asyncio.wait([call])

    assert telemetry.count("contacts_mcp.active_calls") == 0
    assert telemetry.count("contacts_mcp.calls", error_type="cancelled") == 1
    assert telemetry.span("GET /v1/contacts").attributes["error.type"] == "cancelled"


@each_era
async def test_unknown_names_from_a_client_appear_as_other(
    tmp_path: Path, telemetry: CapturedTelemetry, era: str
) -> None:
    """Tools, prompts and methods that do not exist are `_OTHER` in spans and metrics."""
    async with host(tmp_path / "contacts.db", era) as directory:
        await directory.error("sekret_tool", name="x")
        with pytest.raises(MCPError):
            await directory.client.get_prompt("sekret_prompt")
        with pytest.raises(MCPError):
            await directory.client.session.send_request(
                Request[dict[str, Any], str](method="sekret/method", params={"name": "sekret"}), EmptyResult
            )

    assert "sekret" not in telemetry.everything()
    names = {span.name for span in telemetry.spans()}
    assert {"tools/call _OTHER", "prompts/get _OTHER", "_OTHER _OTHER"} <= names
    assert telemetry.points("contacts_mcp.calls") == [
        ({"gen_ai.tool.name": "_OTHER", "contacts_mcp.outcome": "unknown_tool", "error.type": "unknown_tool"}, 1)
    ]


async def test_invalid_request_ids_and_parameters_do_not_appear_in_spans(
    tmp_path: Path, telemetry: CapturedTelemetry
) -> None:
    server, name = (
        build_app(load_settings(), Embedded(tmp_path / "contacts.db", "test")).server,
        {"not": "a sekret name"},
    )
    options = server.create_initialization_options()
    async with create_client_server_memory_streams() as (client, streams), anyio.create_task_group() as tasks:
        tasks.start_soon(server.run, *streams, options)
        for identifier, params in (("sekret Ola", {"name": "list_contacts"}), (2, {"name": name})):
            asked = modern(1, "tools/call", **params) | {"id": identifier}
            await client[1].send(SessionMessage(JSONRPCRequest.model_validate(asked)))
            await client[0].receive()
        tasks.cancel_scope.cancel()

    first, second = telemetry.spans()[-2:]
    assert (first.name, first.attributes["jsonrpc.request.id"]) == ("tools/call list_contacts", "_OTHER")
    assert (second.name, second.attributes["jsonrpc.request.id"]) == ("tools/call", "2")
    assert "sekret" not in telemetry.everything()


async def test_each_request_to_the_service_is_measured_in_its_own_span(telemetry: CapturedTelemetry) -> None:
    """With its route, status and resend count, inside the call's span."""
    statuses = iter([503, 200])
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(next(statuses), json=CONTACT)

    async with host_of_service(respond) as service:
        await service.call("get_contact", contact_id=MISSING_ID)

    call, (first, second) = telemetry.span("tools/call get_contact"), telemetry.spans("GET /v1/contacts/{contact_id}")
    route = {"http.request.method": "GET", "url.template": "/v1/contacts/{contact_id}", "server.address": "service"}
    assert dict(first.attributes) == {**route, "http.response.status_code": 503, "error.type": "503"}
    assert dict(second.attributes) == {**route, "http.response.status_code": 200, "http.request.resend_count": 1}
    assert {first.parent.span_id, second.parent.span_id} == {call.context.span_id}
    assert (first.kind, first.status.status_code) == (SpanKind.CLIENT, StatusCode.ERROR)
    assert telemetry.count("http.client.request.duration", url_template="/v1/contacts/{contact_id}") == 2
    assert telemetry.count("http.client.request.duration", error_type="503") == 1
    assert telemetry.count("contacts_mcp.upstream.retries", http_request_method="GET") == 1
    assert not {"traceparent", "tracestate", "baggage"} & {name for request in seen for name in request.headers}


@pytest.mark.slow
async def test_unreachable_service_has_an_error_type_and_no_status(telemetry: CapturedTelemetry) -> None:
    """`error.type` is our error code; the network's message is not in the span."""

    def respond(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("sekret.example.com has no address")

    async with host_of_service(respond) as service:
        await service.error("create_contact", name="Ola")

    spans = telemetry.spans("POST /v1/contacts")
    assert {span.attributes["error.type"] for span in spans} == {"unreachable"}
    assert not any("http.response.status_code" in span.attributes for span in spans)
    assert "sekret" not in telemetry.everything()


@each_era
async def test_unexpected_exception_is_reported_by_type_and_location_only(
    telemetry: CapturedTelemetry, era: str
) -> None:
    """Its message is in no span, metric or log line."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            raise RuntimeError("sekret: Ola Nordmann")
        return httpx.Response(404)

    with logged() as log:
        async with host_of_service(respond, era) as service:
            line = await service.error("create_contact", name="Ola")

    assert line == "internal_error: create_contact failed here; read the record back, and tell the operator"
    assert "sekret" not in telemetry.everything() + log.text
    assert telemetry.count("contacts_mcp.calls", error_type="internal_error", contacts_mcp_outcome="unknown") == 1
    (logged_line,) = log.lines("contacts_mcp.server")
    assert "RuntimeError at " in logged_line["message"]
    assert "test_telemetry.py" in logged_line["message"]


@each_era
async def test_unexpected_exception_outside_tools_is_not_reported_by_the_sdk(
    monkeypatch: pytest.MonkeyPatch, telemetry: CapturedTelemetry, era: str
) -> None:
    """The SDK would put the exception's message into the span and the log."""

    def respond(_request: httpx.Request) -> httpx.Response:
        raise RuntimeError("sekret: Ola Nordmann")

    monkeypatch.setattr("contacts_mcp.client._client.network_transport", lambda *_: httpx.MockTransport(respond))
    with logged() as log:
        async with host(Platform(Credential.key(API_KEY, "test"), "http://127.0.0.1"), era) as service:
            with pytest.raises(MCPError) as failed:
                await service.client.read_resource(f"contacts://contacts/{MISSING_ID}")

    assert failed.value.error.message == "internal_error: resources/read failed here; try again, and tell the operator"
    span = telemetry.span("resources/read")
    assert (span.status.status_code, span.status.description, span.events) == (StatusCode.ERROR, None, ())
    assert "sekret" not in telemetry.everything() + log.text
    (logged_line,) = log.lines("contacts_mcp.server")
    assert logged_line["message"].startswith("resources/read failed: RuntimeError at ")


async def test_network_request_id_is_in_errors_and_spans(telemetry: CapturedTelemetry) -> None:
    """In `_meta` of every failed call, in the line of an internal error, and in the span."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            raise RuntimeError
        return httpx.Response(404)

    served = CURRENT_REQUEST_ID.set("0123456789abcdef")
    async with host_of_service(respond) as service:
        failed = [
            await service.raw("create_contact", name="Ola"),
            await service.raw("get_contact", contact_id=MISSING_ID),
            await service.raw("no_such_tool"),
        ]
    CURRENT_REQUEST_ID.reset(served)

    assert [result.meta["services.wayscloud/request-id"] for result in failed] == ["0123456789abcdef"] * 3
    assert text_of(failed[0]).endswith("read the record back, and tell the operator the request id 0123456789abcdef")
    calls = [span for span in telemetry.spans() if span.name.startswith("tools/call")]
    assert {span.attributes["contacts_mcp.request.id"] for span in calls} == {"0123456789abcdef"}


@each_era
async def test_service_error_text_is_not_in_the_span_of_a_protocol_error(
    tmp_path: Path, telemetry: CapturedTelemetry, era: str
) -> None:
    """The client reads it in the error; the SDK would also put it into the span."""
    with page_service(API_KEY) as address:
        wrong = Platform(Credential.key("sekret-key", "test"), address)
        async with host(wrong, era) as service:
            with pytest.raises(MCPError, match="Invalid API key"):
                await service.client.read_resource(f"contacts://contacts/{MISSING_ID}")

    span = telemetry.span("resources/read")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert span.attributes["error.type"] == "-32603"
    assert "Invalid API key" not in telemetry.everything()


CONTACT_DATA = {
    "name": "Ola Sekretsen",
    "phone_number": "+4791234567",
    "email": "sekret@example.com",
    "tags": ["vip-sekret"],
    "notes": "allergic to nuts",
}
SECRETS = ("Sekretsen", "+4791234567", "91234567", "sekret@example.com", "allergic", "vip-sekret", API_KEY)


@pytest.mark.slow
@each_era
async def test_telemetry_and_logs_contain_no_personal_data_and_no_key(
    tmp_path: Path, telemetry: CapturedTelemetry, era: str
) -> None:
    """During successful calls, failing calls, confirmations and resource reads."""
    person = Person({"decision": "delete", "typed": "Wrong Sekretsen"})
    ids: list[str] = []
    with logged(log_level="DEBUG") as log, page_service(API_KEY) as address:
        async with host(Platform(Credential.key(API_KEY, "test"), address), era, person) as service:
            ids += await _drive(service)
        async with host(tmp_path / "contacts.db", era, person) as directory:
            ids += await _drive(directory)
        async with host(Platform(Credential.key(f"{API_KEY}x", "test"), address), era) as refused:
            await refused.error("list_contacts", search="Sekretsen")
        async with host_of_service(_quoting, era) as quoting:
            assert "Sekretsen" in await quoting.error("create_contact", **CONTACT_DATA)
            assert "Sekretsen" in await quoting.error("list_contacts", search="Sekretsen")

    in_spans, in_log = telemetry.everything(), log.text
    assert not [secret for secret in (*SECRETS, *ids) if secret in in_spans]
    assert not [secret for secret in SECRETS if secret in in_log]
    assert len(telemetry.spans()) > 20
    assert log.lines("contacts_mcp.trail")


def _quoting(request: httpx.Request) -> httpx.Response:
    """A service that repeats in its errors what it was sent."""
    detail = f"{request.url} {request.content.decode()} {CONTACT_DATA}"
    return httpx.Response(422 if request.method == "GET" else 500, json={"detail": detail})


async def _drive(service: Any) -> list[str]:
    """Use most tools on one contact and its group, and return their ids."""
    ola = await service.call("create_contact", **CONTACT_DATA)
    group = await service.call("create_contact_group", name="Friends of Sekretsen")
    both = {"group_id": group["id"], "contact_id": ola["id"]}
    await service.call("list_contacts", search="sekretsen ola", tags=["vip-sekret"])
    await service.call("update_contact", contact_id=ola["id"], email="sekret@example.com", notes="allergic, still")
    await service.call("add_group_members", group_id=group["id"], contact_ids=[ola["id"]])
    await service.call("list_group_members", group_id=group["id"])
    await service.client.read_resource(f"contacts://contacts/{ola['id']}")
    await service.call("update_contact", contact_id="Ola Sekretsen", email="sekret@example.com")
    await service.error("update_contact", contact_id="Kari Sekretsen", email="sekret@example.com")
    await service.error("get_contact", contact_id=ola["id"], notes="allergic")
    await service.declined("gdpr_delete_contact", contact_id=ola["id"], reason="Article 17")
    await service.raw("no_such_tool_sekret@example.com", name="Sekretsen")
    with pytest.raises(MCPError):
        await service.client.read_resource("contacts://contacts/Ola%20Sekretsen")
    with pytest.raises(MCPError):
        await service.client.get_prompt("Ola Sekretsen", {"name": "Ola Sekretsen"})
    await service.call("remove_group_member", **both)
    await service.call("delete_contact", contact_id=ola["id"])
    return list(both.values())
