"""The service in process, with a clock that tests set. Tests that use `location` run on both engines."""

from contextlib import AsyncExitStack

import httpx
import pytest

from contacts_mcp.directory import Directory


class Service:
    """A served directory and its clients."""

    def __init__(self, directory, stack):
        self.directory = directory
        self._stack = stack

    async def caller(self, tenant="owner", scopes=("read", "write"), **headers):
        """Make a client with a new key."""
        key, _ = await self.directory.create_key("test", tenant, scopes)
        return await self.client({"X-API-Key": key, **headers})

    async def client(self, headers=None):
        """Make a client that sends these headers and no key."""
        transport = httpx.ASGITransport(app=self.directory.app)
        client = httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers)
        return await self._stack.enter_async_context(client)


@pytest.fixture
async def open_service(clock):
    """Serve a directory with this rate limit."""
    async with AsyncExitStack() as stack:

        async def open_service(location, rate=0):
            serving = Directory(location, keys=True, rate=rate, clock=clock, undo_secrets=["a secret of the operator"])
            directory = await stack.enter_async_context(serving)
            return Service(directory, stack)

        yield open_service


@pytest.fixture
async def service(location, open_service):  # in this order, so that the directory outlives its clients
    return await open_service(location)
