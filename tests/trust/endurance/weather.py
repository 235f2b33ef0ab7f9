"""The way to a service over loopback, on which faults can be switched on and off."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from misbehaving import Misbehaving, Seen, reply, reset
from network.callers import Answer, Wire

_SHARE = 0.06
"""Of the requests in bad weather, those that meet with something."""
_STALL = 0.3
"""Seconds without a word, before a connection breaks."""
_OF_ONE_HOP = ("host", "content-length", "connection")

Meet = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


class Weather(Misbehaving):
    """Passes requests on to a service, and what it answers back; in bad weather some of them are lost on either way.

    Where an answer is lost the service has done what was asked before anybody hears of a fault.
    """

    def __init__(self, port: int, seed: int) -> None:
        super().__init__()
        self.bad = False
        self.faults = 0
        self._service = port
        self._wires: list[Wire] = []
        self._exchanges: set[asyncio.Task[Answer]] = set()
        self._random = random.Random(seed)
        self._faults: list[Meet] = [
            self._refuse,
            self._break_before,
            self._stall,
            self._lose,
            self._lose_at_the_gateway,
            self._cut_off,
        ]

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await asyncio.gather(*self._exchanges, return_exceptions=True)
        for wire in self._wires:
            await wire.aclose()

    async def _meet(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        if self.bad and self._random.random() < _SHARE:
            self.faults += 1
            await self._random.choice(self._faults)(seen, writer)
        else:
            await self._pass_on(seen, writer)

    async def _pass_on(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        answer = await self._ask(seen)
        await reply(answer.status, raw=answer.body.encode(), headers=_kept(answer))(writer)

    async def _refuse(self, _seen: Seen, writer: asyncio.StreamWriter) -> None:
        await reply(503, {"detail": "Down for a moment"})(writer)

    async def _break_before(self, _seen: Seen, writer: asyncio.StreamWriter) -> None:
        await reset(writer)

    async def _stall(self, _seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(_STALL)
        await reset(writer)

    async def _lose(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        await self._ask(seen)
        await reset(writer)

    async def _lose_at_the_gateway(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        await self._ask(seen)
        await reply(502, {"detail": "Bad gateway"})(writer)

    async def _cut_off(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        answer = await self._ask(seen)
        body = answer.body.encode()
        await reply(answer.status, raw=body[: len(body) // 2], headers=_kept(answer), length=len(body) + 1)(writer)

    async def _ask(self, seen: Seen) -> Answer:
        """What the service says; it is heard to the end, also where nobody waits for it any more."""
        exchange = asyncio.create_task(self._exchange(seen))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)
        return await asyncio.shield(exchange)

    async def _exchange(self, seen: Seen) -> Answer:
        wire = self._wires.pop() if self._wires else Wire(self._service)
        headers = [(name, value) for name, value in seen.headers.items() if name not in _OF_ONE_HOP]
        answer = await wire.exchange(seen.method, seen.path, headers, seen.body)
        self._wires.append(wire)
        return answer


def _kept(answer: Answer) -> list[str]:
    return [f"{name}: {value}" for name, value in answer.headers.items() if name not in _OF_ONE_HOP]
