"""What stands around the routes: a limit on bodies, and an answer where everything else failed."""

import logging
import traceback

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MEBIBYTES = {"/v1/directory/contacts": 16}
"""Limits of bodies of their own: a batch holds what many single requests would."""

REQUEST_ID_SCOPE_KEY = "contacts_mcp.directory.request"
"""Where the scope of a served request has its id, so that the log can name it."""

_log = logging.getLogger(__name__)


class BodyLimit:
    """Answer 413 to a body that is larger than its route takes (1 MiB, but for batches), reading no further."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is read."""
        read = 0
        most = _MEBIBYTES.get(scope.get("path", ""), 1)

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most * 1024 * 1024:
                raise HTTPException(413, f"The body must not be larger than {most} MiB")
            return message

        await self._app(scope, limited, send)


class LastResort:
    """Answer 500 to what nobody foresaw, and log where it happened, without the values it happened with."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the app's place where it raises."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001
            # The message of an exception may quote somebody's data; the lines of the program do not.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error(
                "%s while answering request %s\n%s", type(error).__name__, scope.get(REQUEST_ID_SCOPE_KEY, "-"), where
            )
            await JSONResponse({"detail": "Internal error"}, 500)(scope, receive, send)
