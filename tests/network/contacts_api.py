"""The Contacts API for many tenants, as a process of its own: `python -m network.contacts_api DESCRIPTOR FOLDER LOG`.

Each key is a tenant with a directory of its own. What was asked is written down once it has been answered, in lines of
JSON, so that a test can count what really happened.
"""

import asyncio
import hashlib
import json
import os
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvicorn

from contacts_mcp.directory import Directory
from contacts_mcp.transports.http import TimeoutProtocol
from support.services import ApiKeyRouter, App

_KIND = "wayscloud_pat_"


def key_of(tenant: str) -> str:
    """The key of a tenant, which only somebody who knows this function can guess."""
    return f"{_KIND}{tenant}_{hashlib.sha256(tenant.encode()).hexdigest()[:32].upper()}"


def tenant_of(key: str) -> str | None:
    """Whose key it is; None where it is nobody's."""
    tenant = key.removeprefix(_KIND).partition("_")[0]
    return tenant if tenant.startswith("tenant") and key == key_of(tenant) else None


class Tenants(ApiKeyRouter):
    """An ASGI app that leads each key to its own directory, and writes down what it was asked."""

    def __init__(self, folder: Path, log: int, directories: AsyncExitStack) -> None:
        super().__init__(self._directory)
        self._folder = folder
        self._log = log
        self._resources = directories
        self._directories: dict[str, Directory] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answered = {"method": scope["method"], "path": scope["path"], "status": 0}

        async def noted(message: Any) -> None:
            answered["status"] = message.get("status", answered["status"])
            await send(message)

        await super().__call__(scope, receive, noted)
        os.write(self._log, json.dumps(answered).encode() + b"\n")

    async def _directory(self, key: str) -> App | None:
        tenant = tenant_of(key)
        if tenant is None:
            return None
        if tenant not in self._directories:
            directory = self._directories[tenant] = Directory(self._folder / f"{tenant}.db")
            await self._resources.enter_async_context(directory)
        return self._directories[tenant].app


async def serve(listening: socket.socket, folder: Path, log: int) -> None:
    """Serve until SIGTERM."""
    async with AsyncExitStack() as directories:
        app = Tenants(folder, log, directories)
        config = uvicorn.Config(
            app,
            http=TimeoutProtocol,
            log_level="error",
            lifespan="off",
            timeout_keep_alive=120,
            timeout_graceful_shutdown=1,
        )
        await uvicorn.Server(config).serve([listening])


if __name__ == "__main__":
    descriptor, folder, log = sys.argv[1:]
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    asyncio.run(serve(socket.socket(fileno=int(descriptor)), Path(folder), written))
