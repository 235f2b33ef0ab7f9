"""Login with a WAYSCloud key: it makes the person the same caller as the assistant that uses the key."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from contacts_mcp.approval_page._app import Form, as_sentence, page_response
from contacts_mcp.approval_page._client_address import AddressOf, client_address
from contacts_mcp.approval_page._views import KEY_FIELD, Views
from contacts_mcp.approval_page._wrong_keys import Attempt, WrongKeys
from contacts_mcp.middleware import Refusal
from contacts_mcp.server import Caller
from contacts_mcp.setting_values import strip_key_noise


class KeyLogin:
    """Asks a person for their key. `identify` returns whose key it is, and raises Refusal (401, 429 or 503).

    `is_known` tells whether a key was accepted before. Limits of wrong keys do not apply to such a key, so that others
    cannot keep the person from logging in whose assistant uses it. `address_of` returns whom an attempt is counted for.
    """

    def __init__(
        self,
        views: Views,
        identify: Callable[[str], Awaitable[Caller]],
        *,
        is_known: Callable[[str], bool] = lambda _: False,
        address_of: AddressOf | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._views = views
        self._identify = identify
        self._is_known = is_known
        self._address_of = address_of or client_address()
        self._wrong = WrongKeys(clock)

    async def log_in(self, request: Request, form: Form) -> Caller | Response:
        """See Login."""
        if not form:
            return self._ask()
        try:
            return await self._check(form, self._address_of(request))
        except Refusal as refusal:
            return self._ask(refusal.message, refusal.status)

    async def _check(self, form: Form, address: str) -> Caller:
        """Return whose key was typed. Raises Refusal with a message for the person."""
        key = strip_key_noise(form.get(KEY_FIELD, ""))
        if KEY_FIELD not in form:
            raise _refusal(HTTPStatus.FORBIDDEN, "You are no longer logged in. Nothing was decided.")
        if not key:
            raise _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "Type your key.")
        attempt = None
        if not self._is_known(key):
            attempt = self._wrong.count(address, key)
            if attempt is None:
                message = "Too many wrong keys were tried. Wait a minute, then try again."
                raise _refusal(HTTPStatus.TOO_MANY_REQUESTS, message)
        try:
            caller = await self._identify(key)
        except Refusal as refusal:
            if refusal.status is HTTPStatus.UNAUTHORIZED:
                raise _refusal(HTTPStatus.FORBIDDEN, "This key is wrong, expired or revoked.") from None
            self._forgive(attempt)
            raise _refusal(refusal.status, as_sentence(refusal.message)) from None
        self._forgive(attempt)
        return caller

    def _forgive(self, attempt: Attempt | None) -> None:
        if attempt is not None:
            self._wrong.forgive(attempt)

    def _ask(self, error: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        return page_response(self._views.login(error), status)


def _refusal(status: HTTPStatus, message: str) -> Refusal:
    return Refusal(status, "login_failed", message)
