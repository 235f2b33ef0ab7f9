"""How many calls a minute and how many event streams one caller may have."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from starlette.responses import PlainTextResponse

from contacts_mcp.middleware import BodyLimitMiddleware, ErrorMiddleware
from contacts_mcp.server import CALLER_SCOPE_KEY, Caller
from contacts_mcp.transports.http import _rate_limits
from contacts_mcp.transports.http._errors import json_rpc_error
from contacts_mcp.transports.http._rate_limits import Kind, RateLimitMiddleware, kind_of
from support.clock import Clock
from support.processes import wait_until
from transports.http.clients import ask, line_of

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_contacts"}}
LISTEN = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}
ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {"action": "accept", "content": {"method": "tools/call"}}}
NO_ANSWER = {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no"}}
CANCELLED = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"id": 1}}


class Team:
    """Callers of an app that answers immediately, or only when `go` is set; it always answers DELETE immediately."""

    def __init__(self, **limits):
        self.clock = Clock()
        self.go = asyncio.Event()
        self.go.set()
        self.running = 0
        self.rates = RateLimitMiddleware(self._app, clock=self.clock, **({"calls_per_minute": 0} | limits))

    async def _app(self, scope, receive, send):
        if scope["method"] != "DELETE":
            self.running += 1
            await self.go.wait()
        await PlainTextResponse("done")(scope, receive, send)

    async def _authenticate(self, scope, receive, send):
        scope[CALLER_SCOPE_KEY] = Caller(dict(scope["headers"])[b"caller"].decode())
        await self.rates(scope, receive, send)

    async def ask(self, message=CALL, caller="kari", method="POST", headers=()):
        app = ErrorMiddleware(BodyLimitMiddleware(self._authenticate, json_rpc_error), json_rpc_error)
        content = message if isinstance(message, bytes) else json.dumps(message)
        return await ask(app, method, headers={"caller": caller, **dict(headers)}, content=content)

    async def statuses(self, times, **more):
        return [(await self.ask(**more)).status_code for _ in range(times)]

    @asynccontextmanager
    async def busy(self, times, **more):
        self.go.clear()
        began = self.running
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(self.ask(**more)) for _ in range(times)]
            await wait_until(lambda: self.running == began + times)
            yield
            self.go.set()
        assert {task.result().status_code for task in started} == {200}

    async def meanwhile(self, **more):
        """The status of a request while others run; one that is accepted is only awaited until it begins."""
        began = self.running
        asking = asyncio.create_task(self.ask(**more))
        await wait_until(lambda: asking.done() or self.running > began)
        self.go.set()
        return (await asking).status_code


def request_of(caller, method="DELETE"):
    return {"type": "http", "method": method, CALLER_SCOPE_KEY: Caller(caller), "contacts_mcp.body": b""}


async def test_calls_a_minute_are_limited_and_refilled_with_time():
    team = Team(calls_per_minute=120)

    assert await team.statuses(21) == [200] * 20 + [429]
    team.clock.now += 1
    assert await team.statuses(3) == [200, 200, 429]
    team.clock.now += 3_600
    assert await team.statuses(21) == [200] * 20 + [429]


async def test_rate_limited_caller_reads_how_long_to_wait():
    team = Team(calls_per_minute=6)
    await team.statuses(10)
    answer = await team.ask()

    assert answer.headers["Retry-After"] == "10"
    assert line_of(answer) == "rate_limited: this caller may make 6 calls a minute; wait 10 seconds"
    team.clock.now += 9.5
    answer = await team.ask()
    assert answer.headers["Retry-After"] == "1"
    assert line_of(answer).endswith("; wait 1 second")
    team.clock.now += 1
    assert (await team.ask()).status_code == 200


async def test_caller_who_waits_for_retry_after_is_accepted():
    team = Team(calls_per_minute=7)
    for _ in range(100):
        if (answer := await team.ask()).status_code == 429:
            team.clock.now += int(answer.headers["Retry-After"])
            assert (await team.ask()).status_code == 200


async def test_rate_of_zero_means_no_limit():
    assert set(await Team(calls_per_minute=0).statuses(500)) == {200}


async def test_rate_of_one_caller_does_not_affect_another():
    team = Team(calls_per_minute=6)
    assert await team.statuses(11) == [200] * 10 + [429]

    assert (await team.ask(caller="ola")).status_code == 200


async def test_answers_have_a_rate_of_their_own():
    """Calls do not use up the rate of answers, but a flood of answers is limited as well."""
    team = Team(calls_per_minute=60)
    await team.statuses(11)

    assert await team.statuses(21, message=ANSWER) == [200] * 20 + [429]


@pytest.mark.parametrize("message", [ANSWER, NO_ANSWER, CANCELLED])
async def test_message_that_a_call_waits_for_is_accepted_when_the_rate_of_calls_is_used_up(message):
    """A legacy client answers the server's question in a request of its own, while its call is waiting."""
    team = Team(calls_per_minute=6)
    await team.statuses(8)
    async with team.busy(2):
        assert (await team.ask()).status_code == 429
        assert await team.meanwhile(message=message) == 200


async def test_concurrent_answers_do_not_wait_for_each_other():
    team = Team()
    async with team.busy(5, message=ANSWER):
        assert await team.meanwhile(message=CANCELLED) == 200


@pytest.mark.parametrize("how", [{"method": "GET", "message": b""}, {"message": LISTEN}])
async def test_event_streams_are_limited_apart_from_calls(how):
    team = Team(max_streams=2)
    async with team.busy(2, **how):
        answer = await team.ask(**how)

        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
        assert line_of(answer) == "rate_limited: this caller has 2 event streams open; wait 5 seconds"
        assert await team.meanwhile() == 200


async def test_streams_of_one_caller_do_not_affect_another():
    team = Team(max_streams=1)
    async with team.busy(1, message=LISTEN):
        assert await team.meanwhile(message=LISTEN, caller="ola") == 200


async def test_failed_stream_makes_room_for_another():
    async def fails(scope, receive, send):
        raise ValueError

    rates = RateLimitMiddleware(fails, calls_per_minute=0, max_streams=1)
    for _ in range(3):
        with pytest.raises(ValueError):
            await rates(request_of("kari", "GET"), None, None)


async def test_cancelled_stream_makes_room_for_another():
    team = Team(max_streams=1)
    team.go.clear()
    stream = asyncio.create_task(team.ask(message=LISTEN))
    await wait_until(lambda: team.running == 1)
    stream.cancel()
    await asyncio.wait({stream})
    team.go.set()

    assert (await team.ask(message=LISTEN)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.CALL, b'{"id": null, "method": "x"}'),
        (Kind.CALL, b'{"result": {}, "method": "x", "id": 1}'),
        (Kind.CALL, b'{"i\\u0064": 1, "method": "x"}'),
        (Kind.CALL, b'{"method": "notifications/cancelled", "id": 1, "method": "tools/call"}'),
        (Kind.CALL, b'[{"method": "notifications/cancelled"}]'),
        (Kind.CALL, b'{"id": 1}'),
        (Kind.CALL, b'"method"'),
        (Kind.CALL, b""),
        (Kind.CALL, b"\xff"),
        (Kind.CALL, b"[" * 1_000_000),
        (Kind.CALL, b"9" * 1_000_000),
        (Kind.CALL, json.dumps({"id": 1, "method": "subscriptions/listen "}).encode()),
        (Kind.CALL, json.dumps(CALL).encode("utf-16")),
        (Kind.STREAM, b'{"id": 1, "method": "subscriptions/listen"}'),
        (Kind.MESSAGE, b'{"method": "tools/call"}'),
    ],
)
def test_unclear_request_counts_as_a_call(kind, body):
    """Each message that may run counts as a call, unless it certainly is no call."""
    assert kind_of("POST", body) is kind


async def test_header_does_not_make_a_request_a_stream():
    """`Mcp-Method` is for proxies; the body decides what runs."""
    team = Team(max_streams=0)

    assert (await team.ask(headers={"Mcp-Method": "subscriptions/listen"})).status_code == 200
    assert (await team.ask(message=LISTEN)).status_code == 429


async def test_number_of_remembered_callers_is_bounded():
    team = Team(calls_per_minute=60)
    for number in range(20_100):
        await team.rates(request_of(str(number)), None, lambda _: asyncio.sleep(0))

    assert len(team.rates._buckets) == 20_000
    assert not team.rates._streams


async def test_caller_with_an_open_stream_is_not_forgotten(monkeypatch):
    monkeypatch.setattr(_rate_limits, "_MAX_CALLERS", 5)
    team = Team(max_streams=1, calls_per_minute=60)
    async with team.busy(1, message=LISTEN):
        for number in range(20):
            await team.ask(caller=str(number), method="DELETE")

        assert len(team.rates._buckets) == 10
        assert (await team.ask(message=LISTEN)).status_code == 429


async def test_request_that_was_not_authenticated_is_not_served():
    async def app(scope, receive, send):
        raise AssertionError

    with pytest.raises(KeyError):
        await RateLimitMiddleware(app, calls_per_minute=0)({"type": "http", "method": "GET"}, None, None)
