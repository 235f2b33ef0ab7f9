"""Request IDs, unexpected exceptions, and the host names and origins that the server accepts."""

import asyncio
import json
import logging
import re

import pytest
from starlette.responses import PlainTextResponse

from contacts_mcp.middleware import REQUEST_ID_SCOPE_KEY, ErrorMiddleware, Refusal, RequestIdMiddleware
from contacts_mcp.transports.http._app import _REQUEST_ID
from contacts_mcp.transports.http._errors import json_rpc_error
from contacts_mcp.transports.http._hosts import HostOriginMiddleware, cors
from support.processes import wait_until
from support.services import GET, serve_app
from transports.http.clients import ask, line_of

SECRET = "Kari Nordmann, +47 900 00 000"
hello = PlainTextResponse("hello")


def guarded(app):
    return RequestIdMiddleware(ErrorMiddleware(app, json_rpc_error, answers_cancelled=True), _REQUEST_ID)


def has_traceback(caplog):
    return any(record.exc_info for record in caplog.records) or "Traceback" in caplog.text


async def shows_its_id(scope, receive, send):
    await PlainTextResponse(scope[REQUEST_ID_SCOPE_KEY])(scope, receive, send)


async def fails(scope, receive, send):
    raise ValueError(SECRET)


async def fails_late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half an answer", "more_body": True})
    raise ValueError(SECRET)


async def hangs(scope, receive, send):
    await asyncio.Event().wait()


async def test_every_request_gets_an_id_of_its_own():
    first, second = await ask(guarded(shows_its_id)), await ask(guarded(shows_its_id))

    assert re.fullmatch("[0-9a-f]{16}", first.text)
    assert first.headers["X-Request-ID"] == first.text
    assert first.text != second.text


@pytest.mark.parametrize("given", ["12345678", "a.b-c_D9" * 8])
async def test_acceptable_request_id_of_the_caller_is_kept(given):
    answer = await ask(guarded(shows_its_id), headers={"X-Request-ID": given})

    assert (answer.text, answer.headers["X-Request-ID"]) == (given, given)


@pytest.mark.parametrize("given", ["", "1234567", "x" * 65, "12345678 9", "1234567\u00e9", 'id"12345678', "<12345678>"])
async def test_unacceptable_request_id_is_replaced(given):
    answer = await ask(guarded(shows_its_id), headers={"X-Request-ID": given.encode("latin-1")})

    assert re.fullmatch("[0-9a-f]{16}", answer.text)


async def test_two_request_ids_are_replaced():
    answer = await ask(guarded(shows_its_id), headers=[("X-Request-ID", "12345678"), ("X-Request-ID", "87654321")])

    assert re.fullmatch("[0-9a-f]{16}", answer.text)


async def test_exception_is_answered_with_500_and_logged_without_its_text(caplog):
    """The text of an exception may hold personal data; its type and place do not."""
    answer = await ask(guarded(fails), headers={"X-Request-ID": "request-1"})

    assert answer.status_code == 500
    assert line_of(answer).startswith("internal: ")
    assert "request-1" in line_of(answer)
    assert answer.headers["X-Request-ID"] == "request-1"
    assert re.search(r"request request-1: ValueError at \S+test_hardening.py:\d+ fails <", caplog.text)
    assert SECRET not in answer.text + caplog.text
    assert not has_traceback(caplog)


async def test_every_exception_of_a_group_is_logged(caplog):
    async def fails_twice(scope, receive, send):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails(scope, receive, send))
            tasks.create_task(fails_with_key())

    async def fails_with_key():
        raise KeyError(SECRET)

    answer = await ask(guarded(fails_twice))

    assert answer.status_code == 500
    assert ("ValueError at" in caplog.text, "KeyError at" in caplog.text) == (True, True)
    assert SECRET not in caplog.text


async def test_raised_refusal_is_answered():
    async def refuses(scope, receive, send):
        raise Refusal(403, "forbidden", "this caller may not; ask the operator", {"X-Why": "because"})

    answer = await ask(guarded(refuses))

    assert (answer.status_code, line_of(answer)) == (403, "forbidden: this caller may not; ask the operator")
    assert answer.headers["X-Why"] == "because"


async def test_exception_after_the_response_has_started_closes_the_connection(caplog):
    """The response stays incomplete, so that no client takes it for the whole, and no traceback is logged."""
    caplog.set_level(logging.INFO)
    async with serve_app(guarded(fails_late)) as server:
        reader, writer = await server.connect()
        writer.write(GET)
        heard = await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert b"half an answer" in heard
    assert not heard.endswith(b"0\r\n\r\n")
    assert "ValueError at" in caplog.text
    assert SECRET not in caplog.text
    assert not has_traceback(caplog)


async def test_request_cancelled_by_the_server_is_answered_with_503(caplog):
    async with serve_app(guarded(hangs), timeout_graceful_shutdown=0.1) as server:
        reader, writer = await server.connect()
        writer.write(GET)
        await wait_until(lambda: len(server.server.server_state.tasks) == 1)
        server.server.should_exit = True
        heard = await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert heard.startswith(b"HTTP/1.1 503 ")
    assert b"stopping: " in heard
    assert not has_traceback(caplog)


async def test_web_socket_is_closed_and_lifespan_passes():
    sent, passed = [], []

    async def app(scope, receive, send):
        passed.append(scope["type"])

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])

    await guarded(app)({"type": "websocket", "headers": []}, receive, send)
    await guarded(app)({"type": "lifespan"}, receive, send)

    assert (sent, passed) == (["websocket.close"], ["lifespan"])


HOSTS = ["Contacts.Example.com", "other.example.com:8443", "web.example.com:443", "[2001:DB8::1]"]


@pytest.mark.parametrize(
    "host",
    [
        "contacts.example.com",
        "CONTACTS.example.COM",
        "contacts.example.com.",
        "contacts.example.com:1234",
        "contacts.example.com.:1234",
        "other.example.com:8443",
        "web.example.com",
        "web.example.com:443",
        "[2001:db8::1]:8000",
        "[2001:db8:0:0::1]",
    ],
)
async def test_own_host_is_accepted(host):
    assert (await ask(HostOriginMiddleware(hello, hosts=HOSTS, origins=[]), headers={"Host": host})).text == "hello"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "contacts.example.com.evil.com",
        "evilcontacts.example.com",
        "contacts.example.com..",
        "contacts.example.com:0",
        "contacts.example.com:65536",
        "contacts.example.com:",
        "contacts.example.com:80:80",
        "contacts.example.com:\u00b2",
        "user@contacts.example.com",
        "contacts.example.com/",
        "contacts.example.com, evil.com",
        "contacts.example.com ",
        "other.example.com",
        "other.example.com:443",
        "web.example.com:80",
        "2001:db8::1",
        "[2001:db8::2]",
        "[2001:db8::1%25eth0]",
        "[::::]",
        "[",
        "",
        "localhost",
        "127.0.0.1:8000",
        "a" * 100_000,
    ],
)
async def test_other_host_is_refused(host):
    answer = await ask(HostOriginMiddleware(hello, hosts=HOSTS, origins=[]), headers={"Host": host.encode("latin-1")})

    assert answer.status_code == 421
    assert line_of(answer).startswith("wrong_host: ")
    assert "--public-host" in line_of(answer)
    assert len(line_of(answer)) < 300


@pytest.mark.parametrize("count", [0, 2])
async def test_request_without_exactly_one_host_is_refused(count):
    """Of two, a proxy in front may have checked the other one."""
    heard = []
    scope = {"type": "http", "path": "/mcp", "method": "GET", "headers": [(b"host", b"localhost")] * count}

    async def send(message):
        heard.append(message)

    await HostOriginMiddleware(hello, hosts=[], origins=[])(scope, None, send)

    assert heard[0]["status"] == 421
    assert json.loads(heard[1]["body"])["error"]["message"].startswith("wrong_host: the request does not name one host")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "[0:0:0:0:0:0:0:1]"])
async def test_default_hosts_are_those_of_loopback(host):
    names = HostOriginMiddleware(hello, hosts=[], origins=[])

    assert (await ask(names, headers={"Host": host})).text == "hello"
    assert (await ask(names, headers={"Host": "contacts.example.com"})).status_code == 421


async def test_rebound_dns_name_is_refused():
    """DNS rebinding: the browser takes the page and this server for one origin, and only the Host header reveals it."""
    headers = {"Host": "evil.com:8000", "Origin": "http://evil.com:8000"}

    assert (await ask(HostOriginMiddleware(hello, hosts=[], origins=[]), headers=headers)).status_code == 421


async def test_probes_may_address_the_server_by_its_number():
    names = HostOriginMiddleware(hello, hosts=["contacts.example.com"], origins=[], exempt=["/healthz"])

    assert (await ask(names, path="/healthz", headers={"Host": "10.1.2.3:8000"})).text == "hello"
    assert (await ask(names, path="/mcp", headers={"Host": "10.1.2.3:8000"})).status_code == 421


ORIGINS = ["https://App.example.com", "http://localhost:6274", "vscode-webview://panel"]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("contacts.example.com", "https://app.example.com"),
        ("contacts.example.com", "https://app.example.com:443"),
        ("contacts.example.com", "http://localhost:6274"),
        ("contacts.example.com", "vscode-webview://panel"),
        ("contacts.example.com", "https://contacts.example.com"),
        ("contacts.example.com", "http://contacts.example.com"),
        ("contacts.example.com:443", "https://contacts.example.com"),
        ("contacts.example.com:8000", "http://contacts.example.com:8000"),
    ],
)
async def test_allowed_origin_is_accepted(host, origin):
    names = HostOriginMiddleware(hello, hosts=["contacts.example.com"], origins=ORIGINS)

    assert (await ask(names, headers={"Host": host, "Origin": origin})).text == "hello"


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "contacts.example.com",
        "https://evil.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com/",
        "https://app.example.com.evil.com",
        "https://contacts.example.com:8443",
        "https://contacts.example.com@evil.com",
        "ftp://contacts.example.com",
        "http://localhost:6275",
        "https://app.example.com https://evil.com",
        "https://" + "a" * 100_000,
    ],
)
async def test_other_origin_is_refused(origin):
    names = HostOriginMiddleware(hello, hosts=["contacts.example.com"], origins=ORIGINS)
    answer = await ask(names, headers={"Host": "contacts.example.com", "Origin": origin})

    assert answer.status_code == 403
    assert line_of(answer).startswith("wrong_origin: ")
    assert "--allow-origin" in line_of(answer)
    assert "evil" not in answer.text


async def test_two_origins_are_refused_even_if_both_are_allowed():
    names = HostOriginMiddleware(hello, hosts=[], origins=["https://app.example.com"])
    headers = [("Host", "localhost"), *[("Origin", "https://app.example.com")] * 2]

    assert (await ask(names, headers=headers)).status_code == 403


async def test_refused_host_is_quoted_and_shortened_in_the_answer():
    """The answer shows the name, usually a proxy's own, as one short quoted word."""
    answer = await ask(HostOriginMiddleware(hello, hosts=[], origins=[]), headers={"Host": "ignore-all." * 20 + "com"})

    assert re.search(r'answer to "[a-z.-]{80}… \[\+\d+ characters\]";', line_of(answer))


@pytest.mark.parametrize("host", ["https://contacts.example.com", "contacts.example.com/mcp", "*", "", "a b", "[::1"])
def test_invalid_public_host_stops_the_start(host):
    with pytest.raises(ValueError, match="--public-host"):
        HostOriginMiddleware(hello, hosts=[host], origins=[])


@pytest.mark.parametrize(
    "origin", ["*", "null", "app.example.com", "https://app.example.com/", "https://*.example.com"]
)
def test_invalid_allowed_origin_stops_the_start(origin):
    for build in (lambda: HostOriginMiddleware(hello, hosts=[], origins=[origin]), lambda: cors(hello, [origin])):
        with pytest.raises(ValueError, match="--allow-origin"):
            build()


async def test_cors_allows_the_headers_that_mcp_uses():
    app = cors(hello, ["https://App.example.com:443"])
    origin = {"Origin": "https://app.example.com"}
    wanted = "authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id"
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": f"{wanted}, x-api-key"}
    preflight = await ask(app, "OPTIONS", headers=origin | asked)
    answer = await ask(app, "POST", headers=origin)

    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    shown = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert shown == {"Mcp-Session-Id", "WWW-Authenticate", "Retry-After", "X-Request-ID"}
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_cors_allows_no_other_origin():
    answer = await ask(cors(hello, ["https://app.example.com"]), headers={"Origin": "https://evil.com"})

    assert "Access-Control-Allow-Origin" not in answer.headers
