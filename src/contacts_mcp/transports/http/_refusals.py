"""Turning a request down before the protocol sees it: a status, and a JSON-RPC error that clients can read."""

from collections.abc import Mapping
from http import HTTPStatus

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from contacts_mcp.server import REQUEST_ID_SCOPE_KEY


class Refusal(Exception):
    """A request that is not let in. `line` is what the caller reads: `code: what happened; what to do next`."""

    def __init__(
        self, status: HTTPStatus, line: str, headers: Mapping[str, str] | None = None, *, code: int | None = None
    ) -> None:
        super().__init__(line)
        self.status = status
        self.line = line
        self.headers = dict(headers or {})
        self.code = code or (INVALID_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else INTERNAL_ERROR)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request; the refusal is itself the ASGI app that does."""
        error = {"code": self.code, "message": self.line, "data": {"request_id": scope.get(REQUEST_ID_SCOPE_KEY)}}
        body = {"jsonrpc": "2.0", "id": None, "error": error}
        await JSONResponse(body, self.status, headers=self.headers)(scope, receive, send)


class Answered:
    """Answers with the refusal where `app` raises one, before it has answered itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Refusal as refusal:
            await refusal(scope, receive, send)
