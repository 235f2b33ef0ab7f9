"""Attacks on the guard, as hostile hosts, models and bystanders could try them: nothing is changed, and nothing taught.

Each attack is made with every tool that can destroy and with writing tools that an operator put under the guard, on
every way by which an answer can reach the server (see `Way`): a combination that is missing is no way.
"""

import asyncio
import base64
import json
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from mcp.server.request_state import AESGCMRequestStateCodec

from contacts_mcp.contract import DeleteContact, Risk, UpdateContact
from contacts_mcp.guard import ANSWER_LIFETIME, GuardMode, Seal
from contacts_mcp.tools import TOOLS
from harness import LEGACY, MODERN
from network.servers import STATE_KEYS
from trust.guarded_calls import CALLS, CONFIRMED, Arguments, GuardedCall
from trust.lines import LineHost, Message, declines
from trust.rig import Rig, answer, check_refusal, is_done, line_of, rig
from trust_summary import Tried

REFUSED = "guard attacks refused"
ASK, TWO_STEP, BLOCK = GuardMode.ASK, GuardMode.TWO_STEP, GuardMode.BLOCK
DESTROYING = tuple(call for call in CALLS if call.tool not in CONFIRMED)


@dataclass(frozen=True)
class Way:
    """How an answer comes: `back` while a legacy call waits, with a second modern call, or as a two-step token.

    A blocking server gives out neither questions nor tokens. It is brought answers to the questions of another server
    that holds the same secrets: what an operator's change of mode would leave about.
    """

    era: str
    mode: GuardMode
    channel: str

    def __str__(self) -> str:
        return f"{'legacy' if self.era == LEGACY else 'modern'} {self.mode} {self.channel}"

    @property
    def forms(self) -> bool:
        return self.channel != "token"


BACK = [Way(LEGACY, mode, "back") for mode in (ASK, TWO_STEP)]
SECOND = [Way(MODERN, mode, "second call") for mode in (ASK, TWO_STEP, BLOCK)]
TOKEN = [Way(era, TWO_STEP, "token") for era in (LEGACY, MODERN)]


def ways(*which: Way) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", which, ids=str)


each_call = pytest.mark.parametrize("call", CALLS, ids=str)
each_mode = pytest.mark.parametrize("mode", GuardMode)
each_era = pytest.mark.parametrize("era", [LEGACY, MODERN], ids=["legacy", "modern"])


@pytest.fixture
async def here() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


@pytest.fixture
def refused(here: Rig, tried: Tried) -> Callable[..., Any]:
    """Hold what an attack left against what was there: nothing was changed, and the answers are refusals."""

    @asynccontextmanager
    async def refused(call: GuardedCall, *given: str) -> AsyncIterator[list[Message]]:
        before, answers = here.contents(), []
        here.writes.clear()
        yield answers
        for each in answers:
            check_refusal(each, *given)
        assert answers, call.tool
        assert here.writes == [], call.tool
        assert here.contents() == before, call.tool
        tried(REFUSED, len(answers))

    return refused


async def state_of(here: Rig, way: Way, call: GuardedCall, arguments: Arguments) -> str:
    """What an answer on this way is brought with: the state of a question, or a token."""
    return await (here.token if way.channel == "token" else here.question)(call.tool, arguments)


def yes(call: GuardedCall) -> Message:
    """What a host sends where the person agreed."""
    return {"action": "accept", "content": dict(call.yes)}


async def bring(host: LineHost, way: Way, call: GuardedCall, arguments: Arguments, state: Any) -> Message:
    """Make a call with a yes to the question that `state` is of."""
    if way.channel == "token":
        return await host.call(call.tool, {**arguments, "confirmation_token": state})
    return await host.call(call.tool, arguments, inputResponses={"confirm": yes(call)}, requestState=state)


def test_every_tool_that_can_destroy_is_attacked() -> None:
    """A new one needs a case in `guarded_calls.py`."""
    dangerous = {tool.name for tool in TOOLS if tool.risk in (Risk.DESTROY, Risk.ERASE)}

    assert {call.tool for call in DESTROYING} == dangerous


@ways(*BACK, *(way for way in SECOND if way.mode is not BLOCK), *TOKEN)
@each_call
async def test_what_is_attacked_would_work_for_a_person(here: Rig, way: Way, call: GuardedCall) -> None:
    """The yes that attacks are variations of is one: without this, nothing below would prove anything."""

    async def agrees(_question: Message) -> Message:
        return {"result": yes(call)}

    arguments = await here.arguments(call)
    before = here.contents()
    async with here.host(way.era, way.mode, agrees, forms=way.forms) as host:
        if way.channel == "back":
            done = await host.call(call.tool, arguments)
        else:
            done = await bring(host, way, call, arguments, await state_of(here, way, call, arguments))

    assert is_done(done)
    assert here.contents() != before


def _of(call: GuardedCall, value: Any) -> Message:
    return {"action": "accept", "content": {call.field: value}}


ANSWERS: dict[str, Callable[[GuardedCall], Message]] = {
    "declined": lambda _: {"action": "decline"},
    "cancelled": lambda _: {"action": "cancel"},
    "declined with the right word": lambda call: {**yes(call), "action": "decline"},
    "cancelled with the right word": lambda call: {**yes(call), "action": "cancel"},
    "accepted without a form": lambda _: {"action": "accept"},
    "accepted with null": lambda _: {"action": "accept", "content": None},
    "accepted empty": lambda _: {"action": "accept", "content": {}},
    "accepted with no text": lambda call: _of(call, ""),
    "a blank": lambda call: _of(call, " "),
    "keep": lambda call: _of(call, "keep"),
    "keep beside the right word": lambda call: {"action": "accept", "content": {**call.yes, "also": "keep"}},
    "yes": lambda call: _of(call, "yes"),
    "another tool's word": lambda call: _of(call, "delete" if call.word != "delete" else "change"),
    "true": lambda call: _of(call, True),
    "one": lambda call: _of(call, 1),
    "the word in a list": lambda call: _of(call, [call.word]),
    "the word in an object": lambda call: _of(call, {call.field: call.word}),
    "a form as JSON text": lambda call: {"action": "accept", "content": json.dumps(call.yes)},
    "a form in a list": lambda call: {"action": "accept", "content": [call.yes]},
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
    "the other form's field": lambda call: {
        "action": "accept",
        "content": {"typed" if call.field == "decision" else "decision": call.word, "confirm": True},
    },
    "wrong, with the right word beside it": lambda call: {
        "action": "accept",
        "content": {call.field: "no", "word": call.word, "confirmed": True},
    },
    "an answer in an answer": lambda call: {"confirm": yes(call)},
    "an answer in a form": lambda call: {"action": "accept", "content": {"confirm": yes(call)}},
    "an action there is not": lambda call: {**yes(call), "action": "accepted"},
    "an action in capitals": lambda call: {**yes(call), "action": "ACCEPT"},
    "an action of true": lambda call: {**yes(call), "action": True},
    "no action": lambda call: {"content": dict(call.yes)},
    "a model's words in place of a person's": lambda call: {
        "role": "assistant",
        "content": {"type": "text", "text": call.word},
        "model": "m",
    },
    "roots in place of an answer": lambda _: {"roots": []},
    "an empty object": lambda _: {},
}
INVISIBLE: dict[str, Callable[[GuardedCall], Message]] = {
    "with a zero-width space": lambda call: _of(call, call.word[:2] + "\u200b" + call.word[2:]),
    "with a direction mark": lambda call: _of(call, "\u202e" + call.word),
    "with a blank behind": lambda call: _of(call, call.word + " "),
}
"""No yes where a word is chosen. In a name that is typed, what nobody sees counts neither way: see guard/_question.py."""


@ways(*BACK, *SECOND)
@pytest.mark.parametrize("name", [*ANSWERS, *INVISIBLE])
async def test_an_answer_that_is_no_yes(here: Rig, refused: Any, way: Way, name: str) -> None:
    """Empty, wrong, declined, of another shape, or what looks like the word: the call changes nothing."""
    make = (ANSWERS | INVISIBLE)[name]
    calls = [call for call in CALLS if name in ANSWERS or call.field == "decision"]
    saying: Message = {}

    async def says(_question: Message) -> Message:
        return {"result": saying}

    async with here.host(way.era, way.mode, says) as host:
        for call in calls:
            saying = make(call)
            arguments = await here.arguments(call)
            if way.channel == "back":
                async with refused(call) as answers:
                    answers.append(await host.call(call.tool, arguments))
            else:
                state = await here.question(call.tool, arguments)
                async with refused(call) as answers:
                    response = {"confirm": saying}
                    answers.append(await host.call(call.tool, arguments, inputResponses=response, requestState=state))

    assert len(host.asked) == (len(calls) if way.channel == "back" else 0)
