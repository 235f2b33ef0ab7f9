"""The readiness page of both HTTP servers: which part works, by its name, without addresses or messages."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

PART_WORKS = "ok"
"""State of a part that can be used, on a readiness page; any other state is the code of its fault."""


def render_readiness(parts: Mapping[str, str], request: Request, reason: str | None = None) -> Response:
    """Return the readiness page: the state of each part as JSON, or as text if the request accepts text.

    `reason` is why the server is not ready although its parts work; by default it is the first fault.
    """
    reason = reason or next((state for state in parts.values() if state != PART_WORKS), None)
    status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
    page = {"status": "not ready", "reason": reason} if reason else {"status": "ready"}
    if "text/plain" in request.headers.get("accept", ""):
        lines = [": ".join(page.values()), *(f"{name}: {state}" for name, state in parts.items())]
        return PlainTextResponse("".join(f"{line}\n" for line in lines), status)
    return JSONResponse({**page, "parts": dict(parts)}, status)
