"""Sessions of the legacy era, of callers with keys of their own."""

import asyncio
import json
import re
from contextlib import AsyncExitStack

import pytest

from contacts_mcp.transports.http._endpoints import MAX_SESSIONS
from network.servers import key_of, mark_of, server_of_tenants
from support.hosts import deleted
from support.raw_hosts import CONTENT, HttpConnection, LegacySession, accepted, key

CALLERS = 20
ROUNDS = 2


def legacy(port, number):
    return LegacySession(port, key(key_of(mark_of(number))))


async def status_of(caller):
    return (await caller.request("tools/list")).status


@pytest.mark.load
async def test_twenty_sessions_never_see_each_others_data():
    async with server_of_tenants(max_calls=500) as (_, port):
        callers = [legacy(port, number) for number in range(CALLERS)]
        heard = await asyncio.gather(*(work(caller, mark_of(number)) for number, caller in enumerate(callers)))

    for number, caller in enumerate(callers):
        assert set(re.findall(r"tenant\d\dzz", heard[number])) == {mark_of(number)}
        assert len(caller.asked) == ROUNDS


async def work(caller, mark):
    """Every answer and question of a caller who creates, lists and deletes."""
    heard = []
    async with caller:
        for turn in range(ROUNDS):
            heard.append(await caller.call("create_contact", name=f"Person {turn} of {mark}"))
            ola = {"contact_id": heard[-1].content["id"]}
            heard.append(await caller.call("list_contacts"))
            assert heard[-1].content["total"] == 1
            heard.append(await caller.call("delete_contact", **ola))
            assert heard[-1].content == deleted(ola["contact_id"], f"Person {turn} of {mark}")
    return " ".join([*(answer.head + answer.body for answer in heard), *caller.asked])


async def test_session_is_usable_only_by_its_caller():
    """With another key it does not exist, and both callers can continue."""
    async with server_of_tenants(max_calls=500) as (_, port), legacy(port, 1) as owner, legacy(port, 2) as thief:
        own, thief.session = thief.session, owner.session

        assert await status_of(thief) == 404
        assert (await thief.post({"jsonrpc": "2.0", "id": 1, "result": {}})).status == 404
        assert (await thief.wire.exchange("GET", "/mcp", thief.all_headers)).status == 404
        assert (await thief.wire.exchange("DELETE", "/mcp", thief.all_headers)).status == 404
        assert await status_of(owner) == 200
        thief.session = own
        assert await status_of(thief) == 200


async def test_question_is_answered_only_by_its_caller():
    async with server_of_tenants(max_calls=500) as (_, port), legacy(port, 1) as owner, legacy(port, 2) as thief:
        ola = {"contact_id": (await owner.call("create_contact", name="Ola")).content["id"]}
        statuses = []

        async def answer_for_them(question):
            own = thief.session
            for session in (owner.session, own):
                thief.session = session
                statuses.append((await thief.post(accepted(question, decision="delete"))).status)

        owner.before_answering, owner.decision = answer_for_them, "keep"
        kept = await owner.call("delete_contact", **ola)

        assert statuses == [404, 202]
        assert kept.content == {"done": False, "reason": "the person declined; nothing was changed; do not try again"}
        assert (await owner.call("get_contact", **ola)).content["name"] == "Ola"


async def test_event_stream_accepts_messages_only_of_its_caller():
    async with server_of_tenants(max_calls=500) as (_, port):
        owner, thief = legacy(port, 1), legacy(port, 2)
        heard: asyncio.Queue[str] = asyncio.Queue()
        stream = asyncio.create_task(owner.wire.exchange("GET", "/sse", owner.headers, hear=heard.put))
        place = await asyncio.wait_for(heard.get(), 10)
        ping = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()

        async with HttpConnection(port) as other:
            assert (await other.exchange("POST", place, [*CONTENT, *thief.headers], ping)).status == 404
            assert (await other.exchange("POST", place, [*CONTENT, *owner.headers], ping)).status == 202
        stream.cancel()
        await asyncio.wait({stream})


@pytest.mark.load
async def test_too_many_sessions_close_the_callers_oldest_idle_one():
    """No other caller's session is closed, and the limit holds during concurrent starts."""
    async with (
        server_of_tenants(max_calls=500) as (_, port),
        legacy(port, 1) as neighbour,
        legacy(port, 2) as in_use,
        legacy(port, 2) as forgotten,
        AsyncExitStack() as open_too,
    ):
        await status_of(in_use)
        others = [legacy(port, 2) for _ in range(MAX_SESSIONS - 1)]
        await asyncio.gather(*(open_too.enter_async_context(caller) for caller in others))

        assert await status_of(forgotten) == 404
        assert [await status_of(caller) for caller in (in_use, *others)] == [200] * MAX_SESSIONS
        assert await status_of(neighbour) == 200
