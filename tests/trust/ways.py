"""The ways by which an answer can reach the server, and a yes on each of them."""

from dataclasses import dataclass
from typing import Any

import pytest

from contacts_mcp.guard import GuardMode
from support.hosts import LEGACY, MODERN
from support.raw_hosts import LineHost, Message
from trust.guarded_calls import CALLS, Arguments, GuardedCall
from trust.rig import Rig

ASK, TWO_STEP, BLOCK = GuardMode.ASK, GuardMode.TWO_STEP, GuardMode.BLOCK


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
