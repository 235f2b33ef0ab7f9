"""The bare server over HTTP, as the SDK offers it: `bare_app PORT [API]`.

Without an API its answers are constant; with one each call is a GET of the API with httpx.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from bare_server import Fetch, bare_server, constant
from starlette.types import ASGIApp

_KEY = "wayscloud_pat_bench_x"


def from_api(client: httpx.AsyncClient) -> Fetch:
    """Get contacts as a server would that was written in an hour."""

    async def fetch(contact_id: str) -> dict[str, Any]:
        response = await client.get(f"/v1/contacts/{contact_id}")
        response.raise_for_status()
        contact: dict[str, Any] = response.json()
        return contact

    return fetch


@asynccontextmanager
async def _app(api: str | None) -> AsyncIterator[ASGIApp]:
    if api is None:
        yield bare_server(constant).streamable_http_app()
        return
    async with httpx.AsyncClient(base_url=api, headers={"X-API-Key": _KEY}, trust_env=False) as client:
        yield bare_server(from_api(client)).streamable_http_app()


async def _serve(port: int, api: str | None) -> None:
    async with _app(api) as app:
        # Lines about each request would cost it more than the request; connections stay open between two rounds.
        config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, timeout_keep_alive=60)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import asyncio

    asyncio.run(_serve(int(sys.argv[1]), *sys.argv[2:3] or [None]))
