"""Answers used more than once: in one process, on replicas, after restarts, at the same moment, by another caller."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.guard import GuardMode
from contacts_mcp.settings import load_settings
from network.servers import STATE_KEYS, replica_here
from support import raw_hosts
from support.processes import free_port, needs_redis, run_redis
from support.raw_hosts import Headers, LegacySession, LineHost, Message, ModernConnection, line_host
from support.trust_summary import Tried
from transports.http.issuer import AUDIENCE, LoopbackIssuer
from trust import guard

COPIES, MANY = 50, 1_000
AT_ONCE = 50
"""Confirmations under way in one process: an erasure takes about 0.1 s of its time, and has 25 s for its requests."""
LONG_WAIT_SECONDS = 600.0
ANSWERED = [route for route in (*guard.SECOND_CALLS, *guard.TOKENS) if route.mode is not GuardMode.BLOCK]
by_tool = {call.tool: call for call in guard.CALLS}


@guard.each_route(*ANSWERED)
@guard.each_call
async def test_used_answer_changes_nothing_again(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route, call: guard.GuardedCall
) -> None:
    arguments = await servers.arguments(call)
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        state = await servers.state(route, call, arguments)
        assert guard.is_done(await route.answer(host, call, arguments, state))
        with refused(erased=call.erased_id(arguments)) as attack:
            for _ in range(3):
                attack.answers.append(await route.answer(host, call, arguments, state))


@guard.each_route(*(route for route in ANSWERED if route.channel != "token"))
@pytest.mark.parametrize("first", ["decline", "cancel", "accept"])
async def test_yes_after_another_answer_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route, first: str
) -> None:
    async with servers.host(route.era, route.mode) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            state = await servers.question(call.tool, arguments)
            other = {"confirm": {"action": first, "content": {}}}
            with refused() as attack:
                attack.answers += [
                    await host.call(call.tool, arguments, inputResponses=other, requestState=state),
                    await route.answer(host, call, arguments, state),
                ]


@asynccontextmanager
async def replica(servers: guard.GuardedServers, route: guard.Route, **settings: Any) -> AsyncIterator[LineHost]:
    """A newly started server over the shared directory, with the shared keys unless `keys` are given."""
    given = {"guard": route.mode, "confirm": list(guard.CONFIRMED), "state_keys": [STATE_KEYS], **settings}
    app = build_app(load_settings(**given), Embedded(servers.path, "test"))
    async with line_host(app.server, route.era, forms=route.forms) as host:
        yield host


async def replays(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route, call: guard.GuardedCall, **settings: Any
) -> None:
    """Ask at one replica, answer at another, and then again at both, after a restart and in block mode."""
    arguments = await servers.arguments(call)
    async with replica(servers, route, **settings) as one, replica(servers, route, **settings) as other:
        state = guard.state_in(await one.call(call.tool, arguments))
        assert guard.is_done(await route.answer(other, call, arguments, state))
        with refused("confirmation_token", erased=call.erased_id(arguments)) as attack:
            attack.answers += [await route.answer(each, call, arguments, state) for each in (one, other)]
    for later in (route, guard.Route(route.era, GuardMode.BLOCK, route.channel)):
        # A blocking server knows no tokens, so it refuses a call that has one before it reads anything.
        knows_answer = later.mode is not GuardMode.BLOCK or later.channel != "token"
        erased = call.erased_id(arguments) if knows_answer else None
        async with replica(servers, later, **settings) as restarted:
            with refused("confirmation_token", erased=erased) as attack:
                attack.answers.append(await route.answer(restarted, call, arguments, state))


@guard.each_route(*ANSWERED)
@guard.each_call
async def test_used_answer_is_refused_on_replicas_and_after_a_restart(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route, call: guard.GuardedCall
) -> None:
    """The directory stores the used nonces for every server that shares it."""
    await replays(servers, refused, route, call)


@needs_redis
@guard.each_route(*ANSWERED)
async def test_used_answer_is_refused_on_replicas_that_share_redis(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route
) -> None:
    """A group can be created twice, so only the nonce store prevents it."""
    with free_port() as port, run_redis(port):
        await replays(servers, refused, route, by_tool["create_contact_group"], redis_url=f"redis://127.0.0.1:{port}/0")


@guard.each_route(*ANSWERED)
async def test_answer_from_before_a_restart_needs_shared_keys(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route
) -> None:
    calls = [(call, await servers.arguments(call)) for call in guard.CALLS]
    async with replica(servers, route, state_keys=[]) as before:
        states = [guard.state_in(await before.call(call.tool, arguments)) for call, arguments in calls]
    for keys in ([], [STATE_KEYS]):
        async with replica(servers, route, state_keys=keys) as after:
            for (call, arguments), state in zip(calls, states, strict=True):
                with refused() as attack:
                    attack.answers.append(await route.answer(after, call, arguments, state))


async def send_concurrently(attempts: list[Any]) -> tuple[list[Message], list[Message]]:
    """Make all attempts at the same moment. Returns the answers of calls that were done, and the refusals."""
    answers = await asyncio.gather(*attempts)
    refusals = [each for each in answers if not guard.is_done(each)]
    for each in refusals:
        guard.check_refusal(each)
    return [each for each in answers if guard.is_done(each)], refusals


@guard.each_route(*ANSWERED)
@guard.each_call
async def test_parallel_copies_of_an_answer_perform_one_call(
    servers: guard.GuardedServers, tried: Tried, route: guard.Route, call: guard.GuardedCall
) -> None:
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        arguments = await servers.arguments(call)
        state = await servers.state(route, call, arguments)
        servers.writes.clear()
        done, refusals = await send_concurrently([route.answer(host, call, arguments, state) for _ in range(COPIES)])

    assert max(Counter(servers.writes).values()) == 1
    copies = refusals
    if (erased := call.erased_id(arguments)) is not None:
        assert servers.writes == [f"POST /v1/directory/persons/{erased}/erase"]
        earlier = servers.earlier_erasure(erased)
        reports = [each for each in done if guard.answer(each) == earlier]
        (performed,) = (guard.answer(each) for each in done if each not in reports)
        assert performed["records"] == earlier["records"]
        assert performed["seen"] == "the directory shows 1 record as erased, without any data"
        copies = [*reports, *refusals]
    assert len(copies) == COPIES - 1
    tried(guard.REFUSED, len(copies))


@guard.each_route(guard.SECOND_CALLS[0], *guard.TOKENS)
async def test_thousand_copies_of_an_answer_perform_one_call(
    servers: guard.GuardedServers, tried: Tried, route: guard.Route
) -> None:
    """Only the single use of an answer limits how many groups are created."""
    call = by_tool["create_contact_group"]
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        arguments = await servers.arguments(call)
        state = await servers.state(route, call, arguments)
        groups = servers.contents()["contact_groups"]
        _, refusals = await send_concurrently([route.answer(host, call, arguments, state) for _ in range(MANY)])

    assert len(refusals) == MANY - 1
    assert len(servers.contents()["contact_groups"]) == len(groups) + 1
    tried(guard.REFUSED, len(refusals))


@guard.each_route(guard.LEGACY_ANSWERS[0], guard.SECOND_CALLS[0], guard.TOKENS[0])
@pytest.mark.parametrize("tool", ["delete_contact", "gdpr_delete_contact"])
async def test_thousand_confirmations_of_one_target_change_it_once(
    servers: guard.GuardedServers, tried: Tried, route: guard.Route, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand equal calls are confirmed, AT_ONCE at any moment: the change is made once.

    Several answers may report that the contact is erased, under the only receipt of the directory. The calls of one
    process wait for each other, and each has only the time limit of a call.
    """
    monkeypatch.setattr(raw_hosts, "_LINE_TIMEOUT_SECONDS", LONG_WAIT_SECONDS)
    call, asked, turns = by_tool[tool], asyncio.Event(), asyncio.Semaphore(AT_ONCE)

    async def agrees(_question: Message) -> Message:
        await asyncio.wait_for(asked.wait(), LONG_WAIT_SECONDS)
        return {"result": call.accepted}

    async def in_turn(attempt: Callable[[], Awaitable[Message]]) -> Message:
        async with turns:
            return await attempt()

    async with servers.host(route.era, route.mode, agrees, forms=route.forms) as host:
        arguments = await servers.arguments(call)
        before = servers.contents()
        if route.channel == "back":
            attempts = [asyncio.ensure_future(in_turn(lambda: host.call(call.tool, arguments))) for _ in range(MANY)]
            while not host.asked:  # equal calls that run at the same time wait for the same form
                await asyncio.wait(attempts, timeout=0.01)
            asked.set()
        else:
            states = [await servers.state(route, call, arguments) for _ in range(MANY)]
            attempts = [in_turn(partial(route.answer, host, call, arguments, state)) for state in states]
        done, refusals = await send_concurrently(attempts)

    after = servers.contents()
    if (erased := call.erased_id(arguments)) is None:
        assert len(refusals) == MANY - 1
    else:
        records = servers.earlier_erasure(erased)["records"]
        assert done
        assert [each for each in done if guard.answer(each)["records"] != records] == []
    assert len(after["receipts"]) == (tool == "gdpr_delete_contact")
    assert len(set(map(repr, before["contacts"])) - set(map(repr, after["contacts"]))) == 1
    tried(guard.REFUSED, len(refusals))


def _bearer(issuer: LoopbackIssuer, subject: str) -> Headers:
    token = issuer.token(sub=subject, scope="contacts:read contacts:write contacts:delete")
    return [("Authorization", f"Bearer {token}")]


@asynccontextmanager
async def shared(servers: guard.GuardedServers, mode: Any) -> AsyncIterator[tuple[int, Headers, Headers]]:
    """A server over a network with two callers, authenticated by OAuth, who share the directory."""
    with LoopbackIssuer() as issuer:
        settings = {"auth": "oauth", "oauth_issuer": issuer.url, "oauth_audience": AUDIENCE, "guard": mode}
        async with replica_here(
            servers.path.parent,
            directory=servers.path,
            confirm=list(guard.CONFIRMED),
            state_keys=[STATE_KEYS],
            **settings,
        ) as port:
            yield port, _bearer(issuer, "ola"), _bearer(issuer, "kari")


@pytest.mark.parametrize("mode", [GuardMode.ASK, GuardMode.TWO_STEP])
async def test_answer_of_another_caller_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, mode: Any
) -> None:
    """Modern era only."""
    async with (
        shared(servers, mode) as (port, olas, karis),
        ModernConnection(port, olas) as ola,
        ModernConnection(port, karis) as kari,
    ):
        for call in guard.CALLS:
            given = {"name": call.tool, "arguments": await servers.arguments(call)}
            asked = await ola.request("tools/call", **given)
            answer = {"inputResponses": {"confirm": call.accepted}, "requestState": asked.result["requestState"]}
            with refused() as attack:
                attack.answers.append((await kari.request("tools/call", **given, **answer)).message)


@pytest.mark.parametrize("caller", [LegacySession, ModernConnection])
async def test_token_of_another_caller_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, caller: Any
) -> None:
    async with (
        shared(servers, GuardMode.TWO_STEP) as (port, olas, karis),
        caller(port, olas, capabilities={}) as ola,
        caller(port, karis, capabilities={}) as kari,
    ):
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            token = (await ola.call(call.tool, **arguments)).content["confirmation_token"]
            with refused() as attack:
                attack.answers.append((await kari.call(call.tool, **arguments, confirmation_token=token)).message)


@pytest.mark.parametrize("mode", [GuardMode.ASK, GuardMode.TWO_STEP])
async def test_answer_sent_into_another_callers_session_changes_nothing(
    servers: guard.GuardedServers, tried: Tried, mode: Any
) -> None:
    """Legacy era: the intruder knows the session and the question's id."""
    turned_away: list[int] = []
    async with shared(servers, mode) as (port, olas, karis), LegacySession(port, karis) as kari:
        own = kari.session

        async def intrude(question: dict[str, Any]) -> None:
            message = {"jsonrpc": "2.0", "id": question["id"], "result": call.accepted}
            for session in (own, ola.session):
                kari.session = session
                turned_away.append((await kari.post(message)).status)

        async with LegacySession(port, olas, decision="keep", before_answering=intrude) as ola:
            for call in guard.CALLS:
                arguments = await servers.arguments(call)
                attack = guard.Attack(servers)
                attack.answers.append((await ola.call(call.tool, **arguments)).message)
                attack.check()
                tried(guard.REFUSED, 2)

    assert [status for status in turned_away[1::2] if status < 400] == []
