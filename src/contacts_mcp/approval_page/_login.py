"""Login with a WAYSCloud key: it makes the person the same caller as the assistant that uses the key."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import Response

from contacts_mcp.approval_page._app import Form, as_sentence, page_response
from contacts_mcp.approval_page._views import KEY_FIELD, Views
from contacts_mcp.middleware import Refusal
from contacts_mcp.server import Caller
from contacts_mcp.setting_values import strip_key_noise

MAX_WRONG_KEYS = 10
"""Wrong keys that one address may try in a minute. A key cannot be guessed; each attempt asks the service, though."""
_WINDOW_SECONDS = 60.0
_MAX_ADDRESSES = 10_000


class KeyLogin:
    """Asks a person for their key. `identify` returns whose key it is, and raises Refusal (401, 429 or 503)."""

    def __init__(
        self, views: Views, identify: Callable[[str], Awaitable[Caller]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._views = views
        self._identify = identify
        self._wrong: TTLCache[str, int] = TTLCache(_MAX_ADDRESSES, _WINDOW_SECONDS, timer=clock)

    async def log_in(self, request: Request, form: Form) -> Caller | Response:
        """See Login."""
        if not form:
            return self._ask()
        address = request.client.host if request.client else ""
        try:
            return await self._check(form, address)
        except Refusal as refusal:
            return self._ask(refusal.message, refusal.status)

    async def _check(self, form: Form, address: str) -> Caller:
        """Return whose key was typed. Raises Refusal with a message for the person."""
        key = strip_key_noise(form.get(KEY_FIELD, ""))
        if KEY_FIELD not in form:
            raise _refusal(HTTPStatus.FORBIDDEN, "You are no longer logged in. Nothing was decided.")
        if not key:
            raise _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "Type your key.")
        if self._wrong.get(address, 0) >= MAX_WRONG_KEYS:
            raise _refusal(HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong keys. Wait a minute, then try again.")
        self._count(address, 1)  # until it is known to be right, so that keys sent at once count as well
        try:
            caller = await self._identify(key)
        except Refusal as refusal:
            if refusal.status is HTTPStatus.UNAUTHORIZED:
                raise _refusal(HTTPStatus.FORBIDDEN, "This key is wrong, expired or revoked.") from None
            self._count(address, -1)
            raise _refusal(refusal.status, as_sentence(refusal.message)) from None
        self._count(address, -1)
        return caller

    def _count(self, address: str, more: int) -> None:
        self._wrong[address] = max(0, self._wrong.get(address, 0) + more)

    def _ask(self, error: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        return page_response(self._views.login(error), status)


def _refusal(status: HTTPStatus, message: str) -> Refusal:
    return Refusal(status, "login_failed", message)
