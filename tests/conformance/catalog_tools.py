"""The suite's tools that a catalog can hold: data, run and rendered by the server's own handlers."""

from collections.abc import Awaitable, Callable

import anyio
from pydantic import BaseModel

from contacts_mcp.contract import ContactsError, Risk
from contacts_mcp.tools import Backend, Tool, run_directly

_PAUSE = 0.05
"""Seconds between two reports, as the suite wants them."""


class Nothing(BaseModel, extra="forbid"):
    """No arguments."""


class Said(BaseModel):
    """What a tool says."""

    text: str


async def test_simple_text(backend: Backend, arguments: Nothing) -> Said:
    """Answers in text."""
    return Said(text="This is a simple text response for testing.")


async def test_error_handling(backend: Backend, arguments: Nothing) -> Said:
    """Always fails."""
    raise ContactsError("This tool intentionally returns an error for testing")


async def test_tool_with_progress(backend: Backend, arguments: Nothing) -> Said:
    """Tells how far it is."""
    assert backend.report
    for done in (0, 50, 100):
        await backend.report(done, 100, None)
        await anyio.sleep(_PAUSE)
    return Said(text="Done.")


def _tool(run: Callable[[Backend, Nothing], Awaitable[Said]]) -> Tool:
    return Tool(
        name=run.__name__,
        title=run.__name__,
        description=run.__doc__ or "",
        risk=Risk.READ,
        idempotent=True,
        arguments=Nothing,
        answer=Said,
        prepare=run_directly(Risk.READ, run),
    )


CATALOG_TOOLS = tuple(_tool(run) for run in (test_simple_text, test_error_handling, test_tool_with_progress))
