"""Hosts in both eras and over both transports, in front of a person who reads each form before filling it in."""

import asyncio
import itertools
import json
import re
from typing import Any, Protocol

from network.callers import FORMS, Answer, Legacy, Modern
from processes import modern

_PATIENCE = 60.0
"""Seconds for an answer that a host does not give up on."""
_TO_TYPE = re.compile(r'To erase, type "(.*)"\.$')
_CALLS_OF_A_SESSION = 200


class Host(Protocol):
    """Calls tools for somebody who agrees to what is asked, or does not. `calls` counts what was sent."""

    calls: int

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> Answer: ...

    async def read(self, uri: str) -> Answer: ...

    async def aclose(self) -> None: ...


def filled(question: dict[str, Any], agrees: bool) -> dict[str, Any]:
    """A form as a person fills it in who agrees to what they read, or would rather keep what there is."""
    ((name, field),) = question["requestedSchema"]["properties"].items()
    if not agrees:
        return {name: "keep"}
    if "enum" in field:
        return {name: field["enum"][-1]}
    asked = _TO_TYPE.search(question["message"])
    assert asked, question["message"]
    return {name: asked[1]}


class Line(Protocol):
    """A way to a server of the modern era."""

    async def request(self, method: str, **params: Any) -> Answer: ...


class ModernHost:
    """A host of the modern era, which comes back with the answer to a question in a call of its own."""

    def __init__(self, line: Line) -> None:
        self.calls = 0
        self._line = line

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> Answer:
        answer = await self._send("tools/call", name=tool, arguments=arguments)
        asked = answer.message.get("result", {}).get("inputRequests")
        if not asked:
            return answer
        form = {"confirm": {"action": "accept", "content": filled(asked["confirm"]["params"], agrees)}}
        state = answer.result["requestState"]
        return await self._send("tools/call", name=tool, arguments=arguments, inputResponses=form, requestState=state)

    async def read(self, uri: str) -> Answer:
        return await self._send("resources/read", uri=uri)

    async def _send(self, method: str, **params: Any) -> Answer:
        self.calls += 1
        return await self._line.request(method, **params)

    async def aclose(self) -> None:
        if isinstance(self._line, Modern):
            await self._line.wire.aclose()


class LegacyHost:
    """A host of the legacy era over HTTP, which leaves its session now and then and opens another."""

    def __init__(self, port: int) -> None:
        self.calls = 0
        self._port = port
        self._session: _Session | None = None

    async def call(self, tool: str, *, agrees: bool = True, **arguments: Any) -> Answer:
        session = await self._opened()
        session.agrees = agrees
        return await session.call(tool, **arguments)

    async def read(self, uri: str) -> Answer:
        return await (await self._opened()).request("resources/read", uri=uri)

    async def _opened(self) -> "_Session":
        self.calls += 1
        if self.calls % _CALLS_OF_A_SESSION == 0:
            await self.aclose()
        if self._session is None:
            self._session = await _Session(self._port).__aenter__()
        return self._session

    async def aclose(self) -> None:
        session, self._session = self._session, None  # whoever gives up while it is being left has left it as well
        if session is not None:
            try:
                await session.leave()
            finally:
                await session.__aexit__()


class _Session(Legacy):
    agrees = True

    def filled(self, question: dict[str, Any]) -> dict[str, Any]:
        return filled(question["params"], self.agrees)


class Pipe:
    """A server on standard input and output, with any number of requests under way; whoever gives up cancels theirs."""

    LONGEST_LINE = 2**22

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._hearing = asyncio.create_task(self._hear())

    async def request(self, method: str, **params: Any) -> Answer:
        number = next(self._numbers)
        message = modern(number, method, **params)
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = FORMS
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._say(message)
            async with asyncio.timeout(_PATIENCE):
                return await answer
        except asyncio.CancelledError:
            cancelled = {"method": "notifications/cancelled", "params": {"requestId": number}}
            await self._say({"jsonrpc": "2.0", **cancelled})
            raise
        finally:
            del self._waiting[number]

    async def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    async def _hear(self) -> None:
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            answer = Answer("", line.decode())
            waiting = self._waiting.get(answer.message.get("id"))
            if waiting and not waiting.done():
                waiting.set_result(answer)

    async def aclose(self) -> None:
        """Close standard input, upon which the server ends."""
        assert self._process.stdin
        self._process.stdin.close()
        async with asyncio.timeout(_PATIENCE):
            await self._process.wait()
            await self._hearing
