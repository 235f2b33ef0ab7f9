"""Login with a WAYSCloud key: it makes the person the same caller as the assistant that uses the key."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import Response

from contacts_mcp.approval_page._app import Form, page_response
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
        if KEY_FIELD not in form:
            return self._ask("You are no longer logged in. Nothing was decided.", HTTPStatus.FORBIDDEN)
        address = request.client.host if request.client else ""
        if self._wrong.get(address, 0) >= MAX_WRONG_KEYS:
            return self._ask("Too many wrong keys. Wait a minute, then try again.", HTTPStatus.TOO_MANY_REQUESTS)
        key = strip_key_noise(form[KEY_FIELD])
        if not key:
            return self._ask("Type your key.", HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            return await self._identify(key)
        except Refusal as refusal:
            if refusal.status is not HTTPStatus.UNAUTHORIZED:
                return self._ask("The WAYSCloud service did not confirm the key. Try again in a moment.", refusal.status)
        self._wrong[address] = self._wrong.get(address, 0) + 1
        return self._ask("This key is wrong, expired or revoked.", HTTPStatus.FORBIDDEN)

    def _ask(self, error: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        return page_response(self._views.login(error), status)
