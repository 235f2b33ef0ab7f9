"""The log: its lines, its formats, and the request ids in it."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from starlette.responses import PlainTextResponse

from contacts_mcp.log_fields import LogFields
from contacts_mcp.middleware import CURRENT_REQUEST_ID
from contacts_mcp.transports.http._access_log import AccessLogMiddleware
from support.hosts import MISSING_ID, each_era, host
from support.processes import API_KEY, HttpServer, free_port, wait_until
from support.services import CONTACT, CONTACT_ID, ScriptedServer, reply
from support.telemetry import logged

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def debugged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HttpServer, int]]:
    """A server that logs at DEBUG, and the port on which each test that uses it runs its own service."""
    with free_port() as port:
        settings = {"WAYSCLOUD_API_KEY": API_KEY, "WAYSCLOUD_API_URL": f"http://127.0.0.1:{port}"}
        with HttpServer(tmp_path_factory.mktemp("debugged"), CONTACTS_MCP_LOG_LEVEL="debug", **settings) as running:
            yield running, port


@pytest.mark.parametrize("transport", ["http", "sse"])
@each_era
async def test_request_id_is_in_the_error_and_in_all_log_lines(debugged, transport, era):
    """The id in a failed call's `_meta` finds its access line, its audit record and the client's lines."""
    network, port = debugged
    target = f"{network.url}/mcp" if transport == "http" else sse_client(f"{network.url}/sse")
    async with ScriptedServer(port) as upstream, Client(target, mode=era, raise_exceptions=False) as client:
        upstream.answers(reply(200, CONTACT), reply(429, headers=["Retry-After: 0"]), reply(404))
        await client.call_tool("create_contact", {"name": "Ola"})
        failed = await client.call_tool("update_contact", {"contact_id": CONTACT_ID, "name": "Kari"})
        request = failed.meta["services.wayscloud/request-id"]
        lines = await until_logged(
            network, lambda lines: request in {line["request"] for line in by("contacts_mcp.access", lines)}
        )

    assert failed.is_error
    mine = [line for line in lines if line.get("request") == request]
    assert {line["logger"] for line in mine} == {
        "contacts_mcp.access",
        "contacts_mcp.trail",
        "contacts_mcp.client._transport",
    }
    created, updated = by("contacts_mcp.trail", lines)[-2:]
    assert (created["tool"], updated["tool"], updated["request"]) == ("create_contact", "update_contact", request)
    assert created["request"] != request


async def until_logged(network: HttpServer, done: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Return the log once it is `done`: a line may follow the answer."""
    await wait_until(lambda: done(network.logged))
    return network.logged


def by(logger: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["logger"] == logger]


async def test_stdio_error_has_no_request_id(tmp_path):
    async with host(tmp_path / "contacts.db") as directory:
        failed = await directory.raw("get_contact", contact_id=MISSING_ID)

    assert "services.wayscloud/request-id" not in (failed.meta or {})


async def test_access_lines_have_method_route_caller_and_status(tmp_path):
    """One per request, without keys, queries and unknown paths; successful probes are not logged."""
    with HttpServer(tmp_path, CONTACTS_MCP_LOG_LEVEL="INFO") as network:
        async with httpx.AsyncClient(base_url=network.url) as http:
            await http.get("/healthz")
            answer = await http.post("/mcp?q=sekret", headers={"X-API-Key": API_KEY, "X-Request-ID": "my-own-request"})
            await http.request("PURGE", "/sekret/Ola%20Nordmann?sekret=1")
        lines = await until_logged(network, lambda lines: len(by("contacts_mcp.access", lines)) > 1)
        network.end()

    known, unknown = by("contacts_mcp.access", lines)
    assert answer.headers["X-Request-ID"] == known["request"] == "my-own-request"
    assert (known["method"], known["route"], known["caller"], known["level"]) == ("POST", "/mcp", "local", "INFO")
    assert known["status"] == answer.status_code
    assert 0 <= known["ms"] < 10_000
    assert (unknown["method"], unknown["route"], unknown["caller"], unknown["status"]) == ("other", "other", None, 404)
    assert not [secret for secret in ("sekret", "Nordmann", API_KEY) if secret in network.written]


@pytest.mark.parametrize(
    ("level", "status", "logged_at"),
    [("INFO", 200, None), ("INFO", 503, "WARNING"), ("DEBUG", 200, "DEBUG"), ("ERROR", 503, None)],
)
async def test_failed_probe_is_logged(level, status, logged_at):
    """A successful one only at DEBUG, as supervisors probe every few seconds; at ERROR no request is logged."""
    with logged(log_level=level) as log:
        async with through_access_log(PlainTextResponse("", status)) as http:
            await http.get("/readyz")

    assert [line["level"] for line in log.lines("contacts_mcp.access")] == ([logged_at] if logged_at else [])


async def test_unanswered_request_is_logged_without_status():
    """Its client disconnected, or the app failed."""

    async def fails(*_: Any) -> None:
        raise RuntimeError("sekret")

    with logged(log_level="INFO") as log:
        async with through_access_log(fails) as http:
            with pytest.raises(RuntimeError):
                await http.get("/mcp")

    (line,) = log.lines("contacts_mcp.access")
    assert (line["route"], line["status"]) == ("/mcp", None)


def through_access_log(app: Any) -> httpx.AsyncClient:
    """Return a client of an app behind the access log."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(AccessLogMiddleware(app, paths=("/mcp", "/readyz"), probe_paths=("/readyz",))),
        base_url="http://test",
    )


def test_json_line_has_time_level_logger_request_and_message():
    """In this order, on one line."""
    served = CURRENT_REQUEST_ID.set("0123456789abcdef")
    with logged() as log:
        logging.getLogger("contacts_mcp.somewhere").warning("it is %s", "late")
    CURRENT_REQUEST_ID.reset(served)

    (line,) = log.lines()
    assert list(line) == ["time", "level", "logger", "request", "message"]
    assert line["time"].endswith("Z")
    assert list(line.values())[1:] == ["WARNING", "contacts_mcp.somewhere", "0123456789abcdef", "it is late"]


def test_text_line_has_the_request_id():
    served = CURRENT_REQUEST_ID.set("0123456789abcdef")
    with logged(log_format="text") as log:
        logging.getLogger("contacts_mcp.somewhere").warning("late")
        logging.getLogger("contacts_mcp.trail").info(LogFields(request="0123456789abcdef"))
    CURRENT_REQUEST_ID.reset(served)

    assert log.text.splitlines() == [
        "WARNING contacts_mcp.somewhere [0123456789abcdef]: late",
        'INFO contacts_mcp.trail: {"request": "0123456789abcdef"}',
    ]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_exception_is_logged_by_type_and_location(log_format):
    """Its message may contain personal data."""
    with logged(log_format=log_format) as log:
        try:
            int("sekret")
        except ValueError:
            logging.getLogger("asyncio").exception("Task was lost\nfuture: <Task exception=ValueError('sekret')>")

    assert "sekret" not in log.text
    assert "ValueError" in log.text
    assert "test_logs.py:" in log.text
    assert "Task was lost" in log.text
    assert log.text.count("\n") == 1


def test_traceback_in_a_message_is_reduced_to_the_exception_type():
    """An ASGI server logs one as text if the app does not start."""
    with logged() as log:
        logging.getLogger("uvicorn.error").error('Traceback (most recent call last):\n  File "x"\nKeyError: "sekret"\n')

    assert log.lines()[0]["message"] == "KeyError"


def test_message_with_wrong_arguments_shows_none_of_them(capsys):
    """The logging module would print them."""
    with logged() as log:
        logging.getLogger("elsewhere").warning("%d contacts", "sekret")

    assert log.lines()[0]["message"] == "%d contacts"
    assert "sekret" not in capsys.readouterr().err


def test_message_in_json_is_not_taken_for_fields():
    """A client may cause a message in JSON; it stays a message."""
    with logged() as log:
        logging.getLogger("mcp.server").error('{"logger": "contacts_mcp.trail", "outcome": "done"}')

    (line,) = log.lines()
    assert line["logger"] == "mcp.server"
    assert "outcome" not in line


def test_only_this_package_logs_at_debug():
    """Others log their input there: a database its parameters, the SDK its messages."""
    with logged(log_level="debug") as log:
        for name in ("aiosqlite", "httpcore.http11", "mcp.server.lowlevel", "sse_starlette", "asyncio"):
            logging.getLogger(name).debug("sekret")
        logging.getLogger("mcp.server.streamable_http_manager").info("session sekret")
        logging.getLogger("mcp.server.sse").warning("Received invalid session ID: sekret")
        logging.getLogger("contacts_mcp.client").debug("ours")

    assert [line["message"] for line in log.lines()] == ["ours"]


def test_asgi_server_log_uses_our_handler():
    """It replaces the server's own handlers, and turns off the access log, which shows queries."""
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler())
    logging.getLogger("uvicorn").propagate = False
    with logged(log_level="info") as log:
        logging.getLogger("uvicorn.error").info("Started")
        logging.getLogger("uvicorn.access").info("GET /mcp?sekret")
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True

    assert [line["message"] for line in log.lines()] == ["Started"]
