"""What one caller may do at once and in a minute."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.responses import PlainTextResponse

from contacts_mcp.server import CALLER_SCOPE_KEY, Caller
from contacts_mcp.transports.http._bodies import Bodies
from contacts_mcp.transports.http._rates import Kind, Rates, kind_of
from waiting import until

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_contacts"}}
LISTEN = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}
ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {"action": "accept", "content": {"method": "tools/call"}}}
NO_ANSWER = {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no"}}
CANCELLED = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"id": 1}}


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


class Team:
    """Callers of an app which answers at once, or only when it is told to; DELETE always at once."""

    def __init__(self, **limits):
        self.clock = Clock()
        self.go = asyncio.Event()
        self.go.set()
        self.running = 0
        self.rates = Rates(self._app, clock=self.clock, **({"at_once": 1_000, "per_minute": 0} | limits))

    async def _app(self, scope, receive, send):
        if scope["method"] != "DELETE":
            self.running += 1
            await self.go.wait()
        await PlainTextResponse("done")(scope, receive, send)

    async def _let_in(self, scope, receive, send):
        scope[CALLER_SCOPE_KEY] = Caller(dict(scope["headers"])[b"caller"].decode())
        await self.rates(scope, receive, send)

    async def ask(self, message=CALL, caller="kari", method="POST", headers=()):
        transport = httpx.ASGITransport(Bodies(self._let_in))
        async with asyncio.timeout(10), httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            content = message if isinstance(message, bytes) else json.dumps(message)
            return await http.request(method, "/", content=content, headers={"caller": caller, **dict(headers)})

    async def statuses(self, times, **more):
        return [(await self.ask(**more)).status_code for _ in range(times)]

    @asynccontextmanager
    async def busy(self, times, **more):
        """So many requests at work."""
        self.go.clear()
        began = self.running
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(self.ask(**more)) for _ in range(times)]
            await until(lambda: self.running == began + times)
            yield
            self.go.set()
        assert {task.result().status_code for task in started} == {200}

    async def meanwhile(self, **more):
        """The status of a request while others are at work; one that is let in is only waited for to begin."""
        began = self.running
        asking = asyncio.create_task(self.ask(**more))
        await until(lambda: asking.done() or self.running > began)
        self.go.set()
        return (await asking).status_code


def line_of(answer):
    return answer.json()["error"]["message"]


async def test_one_call_too_many_at_once_is_refused_and_says_for_how_long():
    team = Team(at_once=3)
    async with team.busy(3):
        answer = await team.ask()

        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert line_of(answer) == "rate_limited: this caller has 3 calls running; wait 1 second"

    assert (await team.ask()).status_code == 200


@pytest.mark.parametrize("message", [ANSWER, NO_ANSWER, CANCELLED])
async def test_the_answer_that_a_call_waits_for_is_let_in_however_many_calls_are_running(message):
    """A legacy client answers the server's question by a request of its own, while its call is waiting."""
    team = Team(at_once=2)
    async with team.busy(2):
        assert await team.meanwhile(message=message) == 200


async def test_answers_do_not_wait_for_each_other():
    team = Team(at_once=1)
    async with team.busy(5, message=ANSWER):
        assert await team.meanwhile(message=CANCELLED) == 200


async def test_other_callers_do_not_notice():
    team = Team(at_once=1)
    async with team.busy(1):
        assert await team.meanwhile(caller="ola") == 200


async def test_a_call_that_fails_gives_its_place_back():
    async def fails(scope, receive, send):
        raise ValueError

    async def ask(rates):
        scope = {"type": "http", "method": "POST", CALLER_SCOPE_KEY: Caller("kari"), "contacts_mcp.body": b"{}"}
        with pytest.raises(ValueError):
            await rates(scope, None, None)

    rates = Rates(fails, at_once=1, per_minute=0)
    for _ in range(3):
        await ask(rates)


async def test_a_call_that_is_cancelled_gives_its_place_back():
    team = Team(at_once=1)
    team.go.clear()
    call = asyncio.create_task(team.ask())
    await until(lambda: team.running == 1)
    call.cancel()
    await asyncio.wait({call})
    team.go.set()

    assert (await team.ask()).status_code == 200


async def test_calls_a_minute_are_limited_and_come_back_with_time():
    team = Team(per_minute=120)

    assert await team.statuses(21) == [200] * 20 + [429]
    team.clock.now += 1
    assert await team.statuses(3) == [200, 200, 429]
    team.clock.now += 3_600
    assert await team.statuses(21) == [200] * 20 + [429]


async def test_a_caller_who_makes_too_many_calls_reads_how_long_to_wait():
    team = Team(per_minute=6)
    await team.statuses(10)
    answer = await team.ask()

    assert answer.headers["Retry-After"] == "10"
    assert line_of(answer) == "rate_limited: this caller may make 6 calls a minute; wait 10 seconds"
    team.clock.now += 9.5
    assert (await team.ask()).headers["Retry-After"] == "1"
    team.clock.now += 1
    assert (await team.ask()).status_code == 200


async def test_who_waits_as_long_as_was_said_is_let_in():
    team = Team(per_minute=7)
    for _ in range(100):
        if (answer := await team.ask()).status_code == 429:
            team.clock.now += int(answer.headers["Retry-After"])
            assert (await team.ask()).status_code == 200


async def test_no_rate_means_no_limit():
    assert set(await Team(per_minute=0).statuses(500)) == {200}


async def test_answers_have_a_rate_of_their_own():
    """Calls do not use up the answers, but a flood of answers ends as well."""
    team = Team(per_minute=60)
    await team.statuses(11)

    assert await team.statuses(21, message=ANSWER) == [200] * 20 + [429]


@pytest.mark.parametrize("how", [{"method": "GET", "message": b""}, {"message": LISTEN}])
async def test_event_streams_are_limited_apart_from_calls(how):
    team = Team(at_once=1, streams=2)
    async with team.busy(2, **how):
        answer = await team.ask(**how)

        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
        assert line_of(answer) == "rate_limited: this caller has 2 event streams open; wait 5 seconds"
        assert await team.meanwhile() == 200


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
def test_nobody_gets_round_a_limit_by_being_unclear(kind, body):
    """What the protocol may run counts as a call; only what surely is none counts as less."""
    assert kind_of("POST", body) is kind


async def test_a_header_alone_makes_no_stream():
    """`Mcp-Method` is for proxies; what runs is what the body says."""
    team = Team(at_once=1)
    async with team.busy(1):
        assert (await team.ask(headers={"Mcp-Method": "subscriptions/listen"})).status_code == 429


async def test_callers_who_are_quiet_are_forgotten_and_their_number_is_bounded():
    team = Team(per_minute=60)
    for number in range(10_050):
        scope = {"type": "http", "method": "DELETE", CALLER_SCOPE_KEY: Caller(str(number)), "contacts_mcp.body": b""}
        await team.rates(scope, None, lambda _: asyncio.sleep(0))
    assert len(team.rates._uses) == 10_000

    team.clock.now += 3_600
    for number in range(10_000):
        scope = {
            "type": "http",
            "method": "DELETE",
            CALLER_SCOPE_KEY: Caller(f"new {number}"),
            "contacts_mcp.body": b"",
        }
        await team.rates(scope, None, lambda _: asyncio.sleep(0))
        team.clock.now += 3_600
    assert len(team.rates._uses) < 5


async def test_a_caller_with_something_open_is_not_forgotten(monkeypatch):
    monkeypatch.setattr("contacts_mcp.transports.http._rates._MOST_CALLERS", 5)
    team = Team(at_once=1, per_minute=60)
    async with team.busy(1):
        for number in range(20):
            await team.ask(caller=str(number), method="DELETE")

        assert (await team.ask()).status_code == 429


async def test_a_request_that_nobody_let_in_is_not_served():
    async def app(scope, receive, send):
        raise AssertionError

    with pytest.raises(KeyError):
        await Rates(app, at_once=1, per_minute=0)({"type": "http", "method": "GET"}, None, None)
