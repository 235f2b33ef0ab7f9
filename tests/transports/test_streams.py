"""How many requests may be unanswered at once, and how one more is answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from contacts_mcp.transports import _streams
from contacts_mcp.transports._streams import answer_unserved


class Wire:
    """Streams with a host at one end and the server at the other."""

    def __init__(self) -> None:
        self.host, received = anyio.create_memory_object_stream[Any](10)
        sent, self.heard = anyio.create_memory_object_stream[SessionMessage](10)
        self.read, self.write = answer_unserved(received, sent)

    async def ask(self, identifier: int) -> None:
        await self.host.send(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=identifier, method="x")))

    async def answer(self, identifier: int) -> None:
        await self.write.send(SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=identifier, result={})))
        await self.heard.receive()


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(_streams, "MAX_UNANSWERED_REQUESTS", 2)
    return 2


@asynccontextmanager
async def wired() -> AsyncIterator[Wire]:
    wire = Wire()
    async with wire.host, wire.heard, wire.read, wire.write:
        yield wire


async def test_request_above_the_limit_is_answered_with_busy(most: int) -> None:
    """It does not reach the server, but the next message does."""
    async with wired() as wire:
        for identifier in range(most + 1):
            await wire.ask(identifier)
        await wire.host.send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="cancelled")))
        passed = [(await wire.read.receive()).message for _ in range(most + 1)]  # type: ignore[union-attr]
        refused = (await wire.heard.receive()).message

    assert [getattr(message, "id", None) for message in passed] == [0, 1, None]
    assert isinstance(refused, JSONRPCError)
    assert refused.id == most
    assert refused.error.message.startswith("busy: ")


async def test_answered_or_cancelled_request_makes_room_for_another(most: int) -> None:
    """A cancelled request gets no answer."""
    async with wired() as wire:
        for identifier in range(most):
            await wire.ask(identifier)
        given_up, _ = [await wire.read.receive() for _ in range(most)]
        assert isinstance(given_up, SessionMessage)
        assert isinstance(given_up.metadata, ServerMessageMetadata)
        assert given_up.metadata.on_request_unanswered
        await given_up.metadata.on_request_unanswered()
        await wire.answer(1)

        for identifier in range(most):
            await wire.ask(identifier)
        assert [(await wire.read.receive()).message.id for _ in range(most)] == [0, 1]  # type: ignore[union-attr]
        assert wire.heard.statistics().current_buffer_used == 0
