"""A host in the server's own process: calls tools over MCP, and counts what a model would read and write."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp_types import ElicitResult, TextContent

from contacts_mcp.app import Embedded, build_app
from contacts_mcp.settings import load_settings


def _nothing(_text: str) -> int:
    return 0


class Host:
    """Calls tools; `calls` and `tokens` are what they cost a model so far, as `count` counts tokens."""

    def __init__(self, client: Client, count: Callable[[str], int]) -> None:
        self._client = client
        self._count = count
        self.calls = self.tokens = 0

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool. Raises RuntimeError where it answers with an error."""
        result = await self._client.call_tool(tool, arguments, read_timeout_seconds=600)
        text = "".join(block.text for block in result.content if isinstance(block, TextContent))
        if result.is_error:
            raise RuntimeError(f"{tool}: {text}")
        self.calls += 1
        self.tokens += self._count(json.dumps(arguments, ensure_ascii=False)) + self._count(text)
        return dict(result.structured_content or {})

    async def applied(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Plan, and apply the plan."""
        plan = await self.call(tool, **arguments)
        return await self.call(tool, **arguments, apply=True, plan=plan["plan"])


@asynccontextmanager
async def hosting(folder: Path, backend: Any = None, count: Callable[[str], int] = _nothing) -> AsyncIterator[Host]:
    """A host of a server on a directory in the folder, or over another backend; a person says yes to everything."""
    settings = load_settings(files=folder, write_budget=0, default_region="NO")
    app = build_app(settings, backend or Embedded(folder / "contacts.db", "a benchmark"))

    async def agree(_context: object, params: Any) -> ElicitResult:
        ((name, field),) = params.requested_schema["properties"].items()
        return ElicitResult(action="accept", content={name: field["enum"][-1]})

    async with Client(app.server, elicitation_callback=agree) as client:
        yield Host(client, count)
