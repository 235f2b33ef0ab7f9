"""A Contacts API on this machine with two keys, to try a team server without an account.

Run it with `python3 -m uv run python examples/team/service.py`; Ctrl-C ends it. Each key has its own directory, in a
temporary folder.
"""

import json
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.directory import Directory

KEYS = ("wayscloud_pat_try_annas_key", "wayscloud_pat_try_bertas_key")
PORT = 8001


class ByKey:
    """Route each key to its own directory; answer 401 to any other key, as the platform does."""

    def __init__(self, apps: dict[str, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._apps.get(dict(scope["headers"]).get(b"x-api-key", b"").decode())
        await (app or refuse)(scope, receive, send)


async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer a request with an unknown key."""
    body = json.dumps({"error": {"code": "AUTH_FAILED", "message": "Invalid API key"}}).encode()
    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def main() -> None:
    """Serve until Ctrl-C."""
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as open_directories:
            apps: dict[str, ASGIApp] = {}
            for number, key in enumerate(KEYS):
                directory = Directory(Path(folder) / f"{number}.db")
                apps[key] = (await open_directories.enter_async_context(directory)).app
            print(f"A Contacts API on http://127.0.0.1:{PORT} takes these keys:", *KEYS, sep="\n  ", flush=True)
            config = uvicorn.Config(ByKey(apps), port=PORT, log_level="warning", lifespan="off")
            await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        anyio.run(main)
