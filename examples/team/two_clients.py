"""Two clients of one team server at once, each with its own key, protocol version and transport.

Run it with `python3 -m uv run python examples/team/two_clients.py`, while service.py and the server run. An
argument is the address of another server.
"""

import sys
from typing import Any, Literal

import anyio
from httpx2 import AsyncClient  # the SDK's own HTTP client, which carries the key
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult
from service import KEYS

Era = Literal["legacy", "2026-07-28"]


async def answer(context: object, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001
    """Answer the question, as a person would in the host's form; this one always agrees."""
    print(f"  asked: {params.message.splitlines()[0]}")
    return ElicitResult(action="accept", content={"decision": "delete"})


async def work(who: str, transport: Any, era: Era) -> None:
    """Create a contact, list contacts, and delete it; a person is asked before the deletion."""
    async with Client(transport, mode=era, elicitation_callback=answer) as client:
        created = await client.call_tool("create_contact", {"name": f"{who}'s customer"})
        found = await client.call_tool("list_contacts", {})
        print(f"{who} sees:", [row["name"] for row in (found.structured_content or {})["contacts"]])
        contact = {"contact_id": (created.structured_content or {})["id"]}
        deleted = await client.call_tool("delete_contact", contact)
        print(f"{who} deleted it:", deleted.structured_content)


async def main(server: str) -> None:
    """Both at once."""
    anna, berta = KEYS
    async with AsyncClient(headers={"X-API-Key": anna}) as http, anyio.create_task_group() as both:
        both.start_soon(work, "Anna", streamable_http_client(f"{server}/mcp", http_client=http), "2026-07-28")
        both.start_soon(work, "Berta", sse_client(f"{server}/sse", headers={"X-API-Key": berta}), "legacy")


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
