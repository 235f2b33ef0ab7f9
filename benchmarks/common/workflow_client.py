"""An MCP client in the server's process, which counts the calls and the tokens that a model would read and write."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mcp import Client
from mcp_types import ElicitResult, TextContent

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.settings import load_settings

CONTACT_FILE = "people.csv"
"""The file in the server's folder that is imported."""


class Usage(NamedTuple):
    """Calls, and the tokens of their arguments and answers."""

    calls: int
    tokens: int


def _count_nothing(_text: str) -> int:
    return 0


class WorkflowClient:
    """Calls tools and counts the cost with `count_tokens`."""

    def __init__(self, client: Client, count_tokens: Callable[[str], int]) -> None:
        self._client = client
        self._count_tokens = count_tokens
        self._usage = Usage(0, 0)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool. Raises RuntimeError if it answers with an error."""
        result = await self._client.call_tool(tool, arguments, read_timeout_seconds=600)
        text = "".join(block.text for block in result.content if isinstance(block, TextContent))
        if result.is_error:
            raise RuntimeError(f"{tool}: {text}")
        tokens = self._count_tokens(json.dumps(arguments, ensure_ascii=False)) + self._count_tokens(text)
        self._usage = Usage(self._usage.calls + 1, self._usage.tokens + tokens)
        return dict(result.structured_content or {})

    async def call_uncounted(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool without counting it."""
        usage = self._usage
        answer = await self.call(tool, **arguments)
        self._usage = usage
        return answer

    async def plan_and_apply(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a bulk tool for its plan, and again to apply the plan."""
        plan = await self.call(tool, **arguments)
        return await self.call(tool, **arguments, apply=True, plan=plan["plan"])

    async def measure(self, work: Awaitable[object]) -> Usage:
        """Return what `work` uses."""
        before = self._usage
        await work
        return Usage(self._usage.calls - before.calls, self._usage.tokens - before.tokens)


@asynccontextmanager
async def open_client(
    folder: Path, backend: Any = None, count_tokens: Callable[[str], int] = _count_nothing
) -> AsyncIterator[WorkflowClient]:
    """Yield a client of a server with a directory in `folder`, or with `backend`. Every question is answered yes."""
    logging.getLogger("contacts_mcp.trail").setLevel(logging.ERROR)
    settings = load_settings(files=folder, write_budget=0, default_region="NO")
    app = build_app(settings, backend or Embedded(folder / "contacts.db", "a benchmark"))

    async def agree(_context: object, params: Any) -> ElicitResult:
        ((name, field),) = params.requested_schema["properties"].items()
        return ElicitResult(action="accept", content={name: field["enum"][-1]})

    async with Client(app.server, elicitation_callback=agree) as client:
        yield WorkflowClient(client, count_tokens)
