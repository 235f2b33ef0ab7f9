"""Attacks on the guard by hostile hosts, models and bystanders: nothing is changed, and no refusal helps them.

Each attack is made with every tool that can destroy and with writing tools that an operator put under the guard, on
every way by which an answer can reach the server (see `Way`): a combination that is missing is no way.
"""

import asyncio
import base64
import json
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mcp.server.request_state import AESGCMRequestStateCodec

from contacts_mcp.contract import DeleteContact, Risk, UpdateContact
from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS, GuardMode, Seal
from contacts_mcp.tools import TOOLS
from network.servers import STATE_KEYS
from support.hosts import LEGACY, each_era
from support.processes import wait_until
from support.raw_hosts import Message
from support.trust_summary import Tried
from trust import guard

DESTROYING = tuple(call for call in guard.CALLS if call.tool not in guard.CONFIRMED)


def test_every_destructive_tool_has_an_attacked_call() -> None:
    dangerous = {tool.name for tool in TOOLS if tool.risk in (Risk.DESTROY, Risk.ERASE)}

    assert {call.tool for call in DESTROYING} == dangerous


@guard.each_route(
    *guard.LEGACY_ANSWERS, *(route for route in guard.SECOND_CALLS if route.mode is not GuardMode.BLOCK), *guard.TOKENS
)
@guard.each_call
async def test_genuine_answer_performs_the_call(
    servers: guard.GuardedServers, route: guard.Route, call: guard.GuardedCall
) -> None:
    """Without this, the refusals below would prove nothing."""

    async def agrees(_question: Message) -> Message:
        return {"result": call.accepted}

    arguments = await servers.arguments(call)
    before = servers.contents()
    async with servers.host(route.era, route.mode, agrees, forms=route.forms) as host:
        if route.channel == "back":
            done = await host.call(call.tool, arguments)
        else:
            done = await route.answer(host, call, arguments, await servers.state(route, call, arguments))

    assert guard.is_done(done)
    assert servers.contents() != before


def _form(**content: Any) -> Message:
    return {"action": "accept", "content": content}


def _of(call: guard.GuardedCall, value: Any) -> Message:
    return _form(**{call.field: value})


_OTHER_FIELD = {"decision": "typed", "typed": "decision"}
_MODEL = {"role": "assistant", "model": "m"}
ANSWERS: dict[str, Callable[[guard.GuardedCall], Message]] = {
    "declined": lambda _: {"action": "decline"},
    "cancelled": lambda _: {"action": "cancel"},
    "declined with the right word": lambda call: {**call.accepted, "action": "decline"},
    "cancelled with the right word": lambda call: {**call.accepted, "action": "cancel"},
    "accepted without a form": lambda _: {"action": "accept"},
    "accepted with null": lambda _: {"action": "accept", "content": None},
    "accepted empty": lambda _: {"action": "accept", "content": {}},
    "accepted with no text": lambda call: _of(call, ""),
    "a blank": lambda call: _of(call, " "),
    "keep": lambda call: _of(call, "keep"),
    "keep beside the right word": lambda call: {"action": "accept", "content": {**call.form, "also": "keep"}},
    "yes": lambda call: _of(call, "yes"),
    "another tool's word": lambda call: _of(call, "delete" if call.word != "delete" else "change"),
    "true": lambda call: _of(call, True),
    "one": lambda call: _of(call, 1),
    "the word in a list": lambda call: _of(call, [call.word]),
    "the word in an object": lambda call: _of(call, {call.field: call.word}),
    "a form as JSON text": lambda call: {"action": "accept", "content": json.dumps(call.form)},
    "a form in a list": lambda call: {"action": "accept", "content": [call.form]},
    "in capitals": lambda call: _of(call, call.word.upper()),
    "in small letters with a dot": lambda call: _of(call, call.word.lower() + "."),
    "the word twice": lambda call: _of(call, call.word * 2),
    "half the word": lambda call: _of(call, call.word[: len(call.word) // 2]),
    "the word backwards": lambda call: _of(call, call.word[::-1]),
    "Cyrillic look-alikes": lambda call: _of(call, call.word.translate(str.maketrans("aeoOcp", "аеоОср"))),
    "full-width letters": lambda call: _of(call, "".join(chr(ord(c) + 0xFEE0) if c != " " else c for c in call.word)),
    "with an accent": lambda call: _of(call, call.word[0] + "\u0301" + call.word[1:]),
    "another field": lambda call: {"action": "accept", "content": {"confirm": call.word}},
    "the field in capitals": lambda call: {"action": "accept", "content": {call.field.upper(): call.word}},
    "the other form's field": lambda call: _form(**{_OTHER_FIELD[call.field]: call.word, "confirm": True}),
    "wrong, with the right word beside it": lambda call: _form(**{call.field: "no", "word": call.word}, confirmed=True),
    "an answer in an answer": lambda call: {"confirm": call.accepted},
    "an answer in a form": lambda call: {"action": "accept", "content": {"confirm": call.accepted}},
    "an action there is not": lambda call: {**call.accepted, "action": "accepted"},
    "an action in capitals": lambda call: {**call.accepted, "action": "ACCEPT"},
    "an action of true": lambda call: {**call.accepted, "action": True},
    "no action": lambda call: {"content": dict(call.form)},
    "a model's words in place of a person's": lambda call: {**_MODEL, "content": {"type": "text", "text": call.word}},
    "roots in place of an answer": lambda _: {"roots": []},
    "an empty object": lambda _: {},
}
INVISIBLE: dict[str, Callable[[guard.GuardedCall], Message]] = {
    "with a zero-width space": lambda call: _of(call, call.word[:2] + "\u200b" + call.word[2:]),
    "with a direction mark": lambda call: _of(call, "\u202e" + call.word),
    "with a blank behind": lambda call: _of(call, call.word + " "),
}
"""No consent if a word is chosen. In a typed name, invisible characters count neither way."""


@guard.each_route(*guard.LEGACY_ANSWERS, *guard.SECOND_CALLS)
@pytest.mark.parametrize("name", [*ANSWERS, *INVISIBLE])
async def test_answer_other_than_yes_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route, name: str
) -> None:
    make = (ANSWERS | INVISIBLE)[name]
    calls = [call for call in guard.CALLS if name in ANSWERS or call.field == "decision"]
    response: Message = {}

    async def responds(_question: Message) -> Message:
        return {"result": response}

    async with servers.host(route.era, route.mode, responds) as host:
        for call in calls:
            response = make(call)
            arguments = await servers.arguments(call)
            if route.channel == "back":
                with refused() as attack:
                    attack.answers.append(await host.call(call.tool, arguments))
            else:
                state = await servers.question(call.tool, arguments)
                with refused() as attack:
                    said = {"confirm": response}
                    attack.answers.append(
                        await host.call(call.tool, arguments, inputResponses=said, requestState=state)
                    )

    assert len(host.asked) == (len(calls) if route.channel == "back" else 0)


async def test_answer_sent_before_the_question_is_ignored(
    servers: guard.GuardedServers, refused: guard.Refused
) -> None:
    """Legacy era: the person who is asked later declines."""
    async with servers.host(LEGACY) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            with refused() as attack:
                for number in range(20):
                    host.send({"jsonrpc": "2.0", "id": number, "result": call.accepted})
                attack.answers.append(await host.call(call.tool, arguments))

    assert len(host.asked) == len(guard.CALLS)


@pytest.mark.parametrize("mode", [GuardMode.ASK, GuardMode.TWO_STEP])
async def test_error_response_to_a_question_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, mode: GuardMode
) -> None:
    """Legacy era only."""

    async def fails(_question: Message) -> Message:
        return {"error": {"code": 0, "message": "delete", "data": guard.CALLS[0].accepted}}

    async with servers.host(LEGACY, mode, fails) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            attack = guard.Attack(servers)
            answer = await host.call(call.tool, arguments)
            attack.check_nothing_changed()
            is_preview = "confirmation_token" in answer["result"]["structuredContent"]
            assert is_preview is (mode is GuardMode.TWO_STEP and call is not guard.CALLS[0])  # once forms reach no one
            if not is_preview:
                guard.check_refusal(answer)


@guard.each_route(*guard.SECOND_CALLS, *guard.TOKENS)
async def test_expired_answer_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route
) -> None:
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            state = await servers.state(route, call, arguments)
            servers.clock.now += ANSWER_LIFETIME_SECONDS
            with refused() as attack:
                attack.answers.append(await route.answer(host, call, arguments, state))


@guard.each_route(*guard.LEGACY_ANSWERS)
async def test_answer_after_the_question_expired_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route
) -> None:
    """Legacy era: the server's clock decides, however long the call stays open."""
    for call in guard.CALLS:

        async def thinks(_question: Message, call: guard.GuardedCall = call) -> Message:
            servers.clock.now += ANSWER_LIFETIME_SECONDS
            return {"result": call.accepted}

        arguments = await servers.arguments(call)
        async with servers.host(route.era, route.mode, thinks) as host:
            with refused() as attack:
                attack.answers.append(await host.call(call.tool, arguments))


@guard.each_route(*guard.LEGACY_ANSWERS)
@pytest.mark.parametrize("gone", ["the server", "the caller"])
async def test_answer_to_an_abandoned_call_changes_nothing(
    servers: guard.GuardedServers, tried: Tried, route: guard.Route, gone: str
) -> None:
    """Legacy era: the server gave up waiting, or the caller cancelled the call."""
    for call in guard.CALLS:
        given_up = asyncio.Event()

        async def too_late(
            _question: Message, call: guard.GuardedCall = call, gone_by: asyncio.Event = given_up
        ) -> Message:
            await gone_by.wait()
            return {"result": call.accepted}

        arguments = await servers.arguments(call)
        attack = guard.Attack(servers)
        seal = Seal(0.01, [STATE_KEYS]) if gone == "the server" else servers.seal
        async with servers.host(route.era, route.mode, too_late, seal=seal) as host:
            calling = asyncio.create_task(host.call(call.tool, arguments))
            await wait_until(lambda host=host: host.asked)
            if gone == "the server":
                guard.check_refusal(await calling)
            else:
                host.cancel()
            given_up.set()
            await wait_until(lambda host=host: not host.busy)
            assert "error" not in await host.call("list_contacts", {})  # by then the consent has been read
            calling.cancel()

        attack.check_nothing_changed()
        tried(guard.REFUSED, 1)


def _claims(sealed: str, **changes: Any) -> str:
    """The same sealed state with other claims, made by an attacker who has the key; a claim of None is left out."""
    codec = AESGCMRequestStateCodec([STATE_KEYS])
    claims = {**json.loads(codec.unseal(sealed)), **changes}
    return codec.seal(json.dumps({name: value for name, value in claims.items() if value is not None}).encode())


def _flipped(sealed: str, at: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(sealed[3:] + "=" * (-len(sealed[3:]) % 4)))
    raw[at] ^= 1
    return sealed[:3] + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


_FOREIGN = AESGCMRequestStateCodec(["f" * 32])
_OWN = AESGCMRequestStateCodec([STATE_KEYS])
FORGERIES: dict[str, Callable[[str], Any]] = {
    "invented": lambda _: "yes",
    "the form's word": lambda _: "delete",
    "only a prefix": lambda state: state[:3],
    "zeros": lambda state: state[:3] + "A" * (len(state) - 3),
    "without its prefix": lambda state: state[3:],
    "of another format": lambda state: "v2" + state[2:],
    "cut by one": lambda state: state[:-1],
    "cut in half": lambda state: state[: len(state) // 2],
    "without its beginning": lambda state: state[10:],
    "with one more letter": lambda state: state + "A",
    "twice": lambda state: state * 2,
    "two with a comma": lambda state: f"{state},{state}",
    "in capitals": lambda state: state.upper(),
    "with a blank before": lambda state: " " + state,
    "with a line behind": lambda state: state + "\n",
    "with a zero byte": lambda state: state + "\0",
    "with an invisible letter": lambda state: state + "\u200b",
    "a bit turned in the key's name": lambda state: _flipped(state, 0),
    "a bit turned in the nonce": lambda state: _flipped(state, 5),
    "a bit turned in the middle": lambda state: _flipped(state, 60),
    "a bit turned at the end": lambda state: _flipped(state, -1),
    "very long": lambda state: state + "A" * 1_000_000,
    "a number": lambda _: 1,
    "true": lambda _: True,
    "a list": lambda state: [state],
    "an object": lambda state: {"state": state},
    "sealed with another key": lambda state: _FOREIGN.seal(_OWN.unseal(state)),
    "of nothing": lambda _: _OWN.seal(b""),
    "of null": lambda _: _OWN.seal(b"null"),
    "of a list": lambda _: _OWN.seal(b"[]"),
    "of what is no text": lambda _: _OWN.seal(b"\xff\xfe"),
    "of a version with more claims": lambda state: _claims(state, version=2),
    "of a version with fewer": lambda state: _claims(state, nonce=None),
    "of a version that writes times": lambda state: _claims(state, expires="2099-01-01T00:00:00Z"),
    "of a version that counts uses": lambda state: _claims(state, nonce=["1", "2"]),
    "of another caller": lambda state: _claims(state, principal="oauth:another"),
    "of no caller": lambda state: _claims(state, principal=""),
    "of another tool": lambda state: _claims(state, tool="list_contacts"),
    "of other arguments": lambda state: _claims(state, arguments="0" * 64),
    "of another target": lambda state: _claims(state, target="0" * 64),
    "of another channel": lambda state: _claims(state, channel="phone"),
    "long past": lambda state: _claims(state, expires=0.0),
}


@guard.each_route(*guard.SECOND_CALLS, *guard.TOKENS)
@pytest.mark.parametrize("name", FORGERIES)
async def test_forged_state_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route, name: str
) -> None:
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            state = FORGERIES[name](await servers.state(route, call, arguments))
            with refused("confirmation_token") as attack:
                attack.answers.append(await route.answer(host, call, arguments, state))


@pytest.mark.parametrize("mode", GuardMode)
@pytest.mark.parametrize("state", [None, ""], ids=["missing", "empty"])
async def test_answer_without_state_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, mode: GuardMode, state: str | None
) -> None:
    async with servers.host(mode=mode) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            with refused() as attack:
                attack.answers.append(await guard.SECOND_CALLS[0].answer(host, call, arguments, state))


@guard.each_route(*guard.SECOND_CALLS, *guard.TOKENS)
async def test_answer_to_another_tools_question_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route
) -> None:
    given = {str(call): await servers.arguments(call) for call in guard.CALLS}
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        for call in guard.CALLS:
            with refused() as attack:
                for asked in (other for other in guard.CALLS if other is not call):
                    state = await servers.state(route, asked, given[str(asked)])
                    attack.answers.append(await route.answer(host, call, given[str(call)], state))


@guard.each_route(*guard.SECOND_CALLS, *guard.TOKENS)
async def test_token_and_request_state_are_not_interchangeable(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route
) -> None:
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            other = servers.question if route.channel == "token" else servers.token
            state = await other(call.tool, arguments)
            with refused() as attack:
                attack.answers.append(await route.answer(host, call, arguments, state))


def _variants(call: guard.GuardedCall, arguments: guard.Arguments) -> Iterator[guard.Arguments]:
    """Arguments that differ from the confirmed ones, however similar."""
    (properties,) = (tool.input_schema["properties"] for tool in TOOLS if tool.name == call.tool)
    for name in properties:
        if name not in arguments:
            yield from ({**arguments, name: nothing} for nothing in (None, "", "null", []))
    yield {**arguments, "and": "more"}
    for name, value in arguments.items():
        yield {other: given for other, given in arguments.items() if other != name}
        yield from ({**arguments, name: alike} for alike in _alike(value))


def _alike(value: Any) -> list[Any]:
    written: list[Any] = []
    match value:
        case bool():
            written = [1, 1.0, "true", False]
        case str():
            decomposed = unicodedata.normalize("NFD", value)
            written = [value.upper(), f"{value} ", f" {value}", f"{value}\u200b", decomposed, [value], {"id": value}]
        case list():
            written = [
                value[::-1],
                value * 2,
                value[:1],
                json.dumps(value),
                [*value, None],
                dict.fromkeys(map(str, value)),
            ]
    return [each for each in written if json.dumps(each) != json.dumps(value)]


@guard.each_route(*guard.SECOND_CALLS, *guard.TOKENS)
@guard.each_call
async def test_answer_with_other_arguments_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route, call: guard.GuardedCall
) -> None:
    """Another target, wider or narrower arguments, reordered lists, null for absent, 1 for true, NFD for NFC."""
    arguments = await servers.arguments(call)
    variants = [await servers.arguments(call, other=True), *_variants(call, arguments)]
    if call.plans:  # a call that does not apply its plan only reads
        variants = [variant for variant in variants if variant.get("apply")]
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        for variant in variants:
            state = await servers.state(route, call, arguments)  # one each: the first that succeeds would use it up
            with refused() as attack:
                attack.answers.append(await route.answer(host, call, variant, state))


@guard.each_route(guard.SECOND_CALLS[0], *guard.TOKENS)
async def test_answer_with_reordered_keys_is_accepted(servers: guard.GuardedServers, route: guard.Route) -> None:
    """JSON objects have no order."""
    call = next(call for call in guard.CALLS if call.tool == "gdpr_delete_contact")
    arguments = await servers.arguments(call)
    state = await servers.state(route, call, arguments)
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        assert guard.is_done(await route.answer(host, call, dict(reversed(arguments.items())), state))


HIDDEN: dict[str, Callable[[guard.GuardedCall], Any]] = {
    "confirm": lambda _: True,
    "confirmed": lambda _: "yes",
    "confirmation": lambda call: call.accepted,
    "force": lambda _: True,
    "yes": lambda _: True,
    "decision": lambda call: call.word,
    "typed": lambda call: call.word,
    "answer": lambda call: call.accepted,
    "consent": lambda _: "form",
    "guard": lambda _: "off",
    "mode": lambda _: "two-step",
    "risk": lambda _: "read",
    "principal": lambda _: "local",
    "dry_run": lambda _: False,
    "inputResponses": lambda call: {"confirm": call.accepted},
    "input_responses": lambda call: {"confirm": call.accepted},
}


@each_era
@guard.each_mode
@pytest.mark.parametrize("forms", [True, False], ids=["asked", "not asked"])
async def test_model_cannot_confirm_with_an_invented_argument(
    servers: guard.GuardedServers, refused: guard.Refused, era: str, mode: GuardMode, forms: bool
) -> None:
    """Unknown arguments are refused, not ignored."""
    async with servers.host(era, mode, forms=forms) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            secrets = {"requestState": await servers.question(call.tool, arguments)}
            if mode is not GuardMode.TWO_STEP:
                secrets["confirmation_token"] = await servers.token(call.tool, arguments)
            for field, value in {**{name: make(call) for name, make in HIDDEN.items()}, **secrets}.items():
                with refused(field) as attack:
                    attack.answers.append(await host.call(call.tool, {**arguments, field: value}))
            with refused() as attack:
                everything = {name: make(call) for name, make in HIDDEN.items()}
                attack.answers.append(await host.call(call.tool, {**arguments, **everything}))

    assert host.asked == []


@pytest.mark.parametrize("mode", [GuardMode.ASK, GuardMode.BLOCK])
async def test_argument_that_is_ignored_confirms_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, mode: GuardMode
) -> None:
    """Hosts add `_meta` to arguments. The person is asked as usual, and declines."""
    async with servers.host(LEGACY, mode) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            with refused() as attack:
                hidden = {**arguments, "_meta": {"confirm": call.accepted, "inputResponses": call.accepted}}
                attack.answers.append(await host.call(call.tool, hidden))

    assert len(host.asked) == (0 if mode is GuardMode.BLOCK else len(guard.CALLS))


@guard.each_mode
async def test_modern_answer_in_a_legacy_call_is_ignored(
    servers: guard.GuardedServers, refused: guard.Refused, mode: GuardMode
) -> None:
    """The person is asked as usual, and declines."""
    async with servers.host(LEGACY, mode) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            state = await servers.question(call.tool, arguments)
            with refused() as attack:
                attack.answers.append(await guard.SECOND_CALLS[0].answer(host, call, arguments, state))

    assert len(host.asked) == (0 if mode is GuardMode.BLOCK else len(guard.CALLS))


@guard.each_mode
async def test_answer_from_a_host_without_forms_changes_nothing(
    servers: guard.GuardedServers, refused: guard.Refused, mode: GuardMode
) -> None:
    """Another host was asked the question."""
    async with servers.host(mode=mode, forms=False) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            state = await servers.question(call.tool, arguments)
            with refused() as attack:
                attack.answers.append(await guard.SECOND_CALLS[0].answer(host, call, arguments, state))


@each_era
async def test_host_without_forms_is_refused(servers: guard.GuardedServers, refused: guard.Refused, era: str) -> None:
    """The error does not mention other guard modes."""
    async with servers.host(era, GuardMode.ASK, forms=False) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            with refused() as attack:
                attack.answers.append(await host.call(call.tool, arguments))


@each_era
@pytest.mark.parametrize("forms", [True, False], ids=["forms", "no forms"])
async def test_blocking_server_refuses_every_call(
    servers: guard.GuardedServers, refused: guard.Refused, era: str, forms: bool
) -> None:
    """It asks no question and shows no preview."""
    async with servers.host(era, GuardMode.BLOCK, forms=forms) as host:
        for call in guard.CALLS:
            arguments = await servers.arguments(call)
            with refused() as attack:
                attack.answers.append(await host.call(call.tool, arguments))

    assert host.asked == []


@guard.each_route(*guard.LEGACY_ANSWERS, *guard.SECOND_CALLS, *guard.TOKENS)
@pytest.mark.parametrize("call", [call for call in guard.CALLS if call.changes], ids=str)
async def test_target_changed_before_the_answer_is_not_touched(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route, call: guard.GuardedCall
) -> None:
    arguments = await servers.arguments(call)
    with refused() as attack:

        async def meanwhile(_question: Message) -> Message:
            await servers.change_target(call)
            attack.begin()
            return {"result": call.accepted}

        async with servers.host(route.era, route.mode, meanwhile, forms=route.forms) as host:
            if route.channel == "back":
                attack.answers.append(await host.call(call.tool, arguments))
            else:
                state = await servers.state(route, call, arguments)
                await meanwhile({})
                attack.answers.append(await route.answer(host, call, arguments, state))


@guard.each_route(*guard.SECOND_CALLS, *guard.TOKENS)
async def test_target_changed_and_changed_back_is_not_touched(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route
) -> None:
    """It looks the same, but another caller is editing it."""
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        for call in [
            call for call in guard.CALLS if call.tool in ("delete_contact", "gdpr_delete_contact", "merge_contacts")
        ]:
            arguments = await servers.arguments(call)
            state = await servers.state(route, call, arguments)
            for name in ("Somebody Else", "Ola Nordmann"):
                await servers.api.send(UpdateContact(contact_id=servers.records["ola"], name=name))
            with refused() as attack:
                attack.answers.append(await route.answer(host, call, arguments, state))


@guard.each_route(*guard.SECOND_CALLS, *guard.TOKENS)
async def test_target_deleted_before_the_answer_is_not_touched(
    servers: guard.GuardedServers, refused: guard.Refused, route: guard.Route
) -> None:
    """Erasing the deleted contact needs a new question."""
    of_ola = [call for call in guard.CALLS if "'ola'" in repr(call.arguments)]
    given = {str(call): await servers.arguments(call) for call in of_ola}
    states = {str(call): await servers.state(route, call, given[str(call)]) for call in of_ola}
    await servers.api.send(DeleteContact(contact_id=servers.records["ola"]))
    async with servers.host(route.era, route.mode, forms=route.forms) as host:
        for call in of_ola:
            with refused() as attack:
                attack.answers.append(await route.answer(host, call, given[str(call)], states[str(call)]))
