"""How the platform guards its API: each key leads to its own contacts, and what is no key is refused in its words."""

from collections.abc import Awaitable, Callable
from typing import Any

App = Callable[[Any, Any, Any], Awaitable[None]]
_REFUSAL = b'{"error": {"code": "AUTH_FAILED", "message": "Invalid API key"}}'


class Keyed:
    """An ASGI app that leads a key to the app that `app_of` has for it; None where it is nobody's."""

    def __init__(self, app_of: Callable[[str], Awaitable[App | None]]) -> None:
        self._app_of = app_of

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        keys = [value.decode() for name, value in scope["headers"] if name == b"x-api-key"]
        app = await self._app_of(keys[0]) if len(keys) == 1 else None
        await (app or _refuse)(scope, receive, send)


async def _refuse(_scope: Any, _receive: Any, send: Any) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(_REFUSAL)).encode())]
    await send({"type": "http.response.start", "status": 401, "headers": head})
    await send({"type": "http.response.body", "body": _REFUSAL})
