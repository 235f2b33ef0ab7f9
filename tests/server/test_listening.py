"""Change notifications over real transports: streams and standing channels of a server process."""

from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.sse import sse_client

from conformance.suite import served_product
from contacts_mcp.resources import GROUP_URI, MEMBERS_URI
from support.hosts import LEGACY, LIST_CHANGED, MODERN, Host, listening


@pytest.mark.slow
async def test_changes_are_notified_over_every_transport(tmp_path: Path) -> None:
    """Streamable HTTP and SSE, in both eras, for changes made through another connection."""
    with served_product(tmp_path) as served:
        endpoint, events = f"{served.url}/mcp", f"{served.url}/sse"
        async with Client(endpoint, mode=MODERN) as client, AsyncExitStack() as stack:
            writer = Host(client)
            ola = (await writer.call("create_contact", name="Ola"))["id"]
            choir = (await writer.call("create_contact_group", name="Choir"))["id"]
            group, members = GROUP_URI.format(id=choir), MEMBERS_URI.format(id=choir)
            listeners = [
                await stack.enter_async_context(listening(server, era, [group, members]))
                for era in (LEGACY, MODERN)
                for server in (endpoint, sse_client(events))
            ]

            with anyio.fail_after(20):
                while not all(
                    {group, LIST_CHANGED} <= set(listener.events) for listener in listeners
                ):  # a session's channel opens late
                    await writer.call("update_contact_group", group_id=choir, name="another")
            await writer.call("add_group_members", group_id=choir, contact_ids=[ola])

            for listener in listeners:
                assert set(await listener.events_before(members)) == {group, LIST_CHANGED}
