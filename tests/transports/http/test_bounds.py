"""How much of the server one request, one caller or many unauthenticated clients can use."""

import asyncio
import json
from typing import Any

import anyio
import httpx
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification
from starlette.responses import PlainTextResponse

from contacts_mcp.middleware import BodyLimitMiddleware, BodyQuota, Refusal
from contacts_mcp.server import CALLER_SCOPE_KEY, LOCAL_CALLER, Caller
from contacts_mcp.transports.http._endpoints import SseEndpoints, _CountingStream
from contacts_mcp.transports.http._errors import json_rpc_error
from support.processes import HttpServer, processor_seconds, wait_until
from support.raw_hosts import modern
from transports.http.clients import headers_of

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tags": [1] * 300_000}, "more than 200,000 values"),
        ({"tags": [1] * 150_000}, "tags: should have no more than 5,000 items"),
        ({"tags": [[]] * 200_000}, "more than 200,000 values"),
        ({f"x{number}": 1 for number in range(80_000)}, "too many arguments"),
        ({"search": "a" * 200_000}, "search: must have at most 255 characters"),
        ({"search": "half \ud800 of it"}, "not valid JSON in UTF-8"),
    ],
    ids=["numbers", "fewer numbers", "arrays", "fields", "search", "surrogate"],
)
async def test_oversized_arguments_are_refused_with_little_processor_time(
    network: HttpServer, arguments: dict[str, Any], words: str
) -> None:
    """The call is refused before it is validated in full, which would delay all other callers.

    Processor time does not depend on what else the machine does.
    """
    async with httpx.AsyncClient(base_url=network.url, timeout=30) as http:
        await http.get("/readyz")  # opens the directory, which imports many modules
        body = json.dumps(modern(1, "tools/call", name="list_contacts", arguments=arguments))
        headers = {**headers_of("tools/call", "list_contacts"), "Content-Type": "application/json"}
        before = processor_seconds(network.process.pid)
        answer = (await http.post("/mcp", content=body, headers=headers)).json()

    assert words in (answer["error"]["message"] if "error" in answer else answer["result"]["content"][0]["text"])
    assert processor_seconds(network.process.pid) - before < 1.5


async def test_public_pages_accept_only_small_bodies(network: HttpServer) -> None:
    """The limit holds for every path without authentication."""
    async with httpx.AsyncClient(base_url=network.url) as http:
        answers = [await http.post(path, content=b"x" * 9_000) for path in ("/healthz", "/readyz", "/elsewhere")]

    assert [answer.status_code for answer in answers] == [413, 413, 413]


async def test_one_caller_may_hold_a_quarter_of_the_body_quota() -> None:
    """A caller who sends a lot at once has to wait; other callers do not."""
    release = anyio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await release.wait()
        await PlainTextResponse("done")(scope, receive, send)

    quota = BodyQuota(4_000, lambda scope: scope[CALLER_SCOPE_KEY].principal)
    bodies = BodyLimitMiddleware(waits, json_rpc_error, quota=quota)

    async def post(principal: str, size: int) -> int:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await bodies({**scope, CALLER_SCOPE_KEY: Caller(principal)}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            return (await http.post("/", content=b"x" * size)).status_code

    first = asyncio.create_task(post("one", 900))
    await wait_until(lambda: quota._held["one"] == 900)
    assert await post("one", 200) == 503
    other = asyncio.create_task(post("another", 900))
    await wait_until(lambda: quota._held["another"] == 900)
    release.set()

    assert await asyncio.gather(first, other) == [200, 200]
    assert not quota._held


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
async def test_json_in_another_encoding_than_utf8_is_refused(network: HttpServer, encoding: str) -> None:
    """Parsers differ in the encodings they read, so another encoding could bypass a limit."""
    body = '{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}'.encode(encoding)
    headers = {**headers_of("subscriptions/listen"), "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=network.url) as http:
        answer = await http.post("/mcp", content=body, headers=headers)

    assert answer.status_code == 415


async def test_sse_caller_with_unread_answers_may_send_no_further_message() -> None:
    """Messages over SSE are acknowledged before they are answered, so the answers waiting on the stream count."""
    send, receive = anyio.create_memory_object_stream[SessionMessage](0)
    sse = SseEndpoints(object(), 1_000, max_unread=1)  # type: ignore[arg-type]
    waiting = SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/message"))
    scope = {CALLER_SCOPE_KEY: LOCAL_CALLER}
    async with send, receive, anyio.create_task_group() as tasks:
        tasks.start_soon(_CountingStream(send, sse._unread, LOCAL_CALLER.principal).send, waiting)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(Refusal, match="1 answers wait to be read"):
            await sse.messages(scope, None, None)  # type: ignore[arg-type]
        await receive.receive()

    assert not sse._unread
