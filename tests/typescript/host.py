"""A host in JavaScript: a TypeScript SDK's client in Node, driven by lines of JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_types import CallToolResult

from support.hosts import Host
from support.node import install

_HERE = Path(__file__).parent
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Kind:
    sdk: str
    transport: str
    era: str

    def __str__(self) -> str:
        return f"{self.sdk}-{self.transport}-{self.era}"

    @property
    def path(self) -> str:
        return "/sse" if self.transport == "sse" else "/mcp"


class TypeScriptHost(Host):
    """A host whose client is in another process. `hello` is what the client knows after connecting."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.hello: dict[str, Any] = {}
        self.seen: dict[str, Any] = {}
        """The last call: the `progress` before its result, the questions `asked`, and what was `thrown` instead."""

    async def tools(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self._exchange({}))["tools"]
        return listed

    async def raw(
        self, tool: str, *, answer: dict[str, Any] | None = None, hang_up: bool = False, **arguments: Any
    ) -> CallToolResult:
        """The result of a call whose questions the person answers with `answer`; empty if the client has thrown."""
        message = await self._exchange({"tool": tool, "arguments": arguments, "answer": answer, "hang_up": hang_up})
        self.seen = {name: message.pop(name, None) for name in ("progress", "asked", "thrown")}
        return CallToolResult.model_validate({"content": [], **message})

    async def _exchange(self, line: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        await self._process.stdin.drain()
        return await self.read()

    async def read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = await asyncio.wait_for(self._process.stdout.readline(), _TIMEOUT_SECONDS)
        assert line, "the client has ended; what it wrote to standard error says why"
        message: dict[str, Any] = json.loads(line)
        return message


@asynccontextmanager
async def typescript_host(kind: Kind, origin: str, *, asks: bool = True) -> AsyncIterator[TypeScriptHost]:
    """A host connected to the server at `origin`, which can ask its person questions if `asks`."""
    program = await asyncio.to_thread(install)
    process = await asyncio.create_subprocess_exec(
        program,
        _HERE / f"{kind.sdk}.mjs",
        *(origin + kind.path, kind.transport, kind.era, "asks" if asks else ""),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    assert process.stdin
    host = TypeScriptHost(process)
    try:
        host.hello = await host.read()
        yield host
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), _TIMEOUT_SECONDS) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
