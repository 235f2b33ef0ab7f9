"""send(call) -> answer."""

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import anyio
import httpx

from contacts_mcp.client._address import BASE_URL, parse_base_url, proxy_for
from contacts_mcp.client._answers import is_success, read, request_of
from contacts_mcp.client._credential import Credential, find_credential
from contacts_mcp.client._faults import fault
from contacts_mcp.client._http import Answer, Wire
from contacts_mcp.client._listing import Listing
from contacts_mcp.client._quirks import update
from contacts_mcp.client._quoting import Quoter
from contacts_mcp.client._retry import Patience, Progress, Setback, persist, retry_after
from contacts_mcp.client._trace import Attempts
from contacts_mcp.contract import (
    Added,
    AnswerT,
    AuthenticationFailed,
    Call,
    Contact,
    ContactsError,
    DescribeDirectory,
    ListContacts,
    ProgressCallback,
    RateLimited,
    Request,
    Unreachable,
    UpdateContact,
    UpdateContactGroup,
)

_PASSING = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_IDLE_SECONDS = 4.0  # the usual server closes an idle connection after 5, at which moment a write would be lost
_SILENCES = 3  # an idempotent call waits a third of its time for an answer, to have time for another attempt


class ContactsClient:
    """Sends calls to the Contacts API. Use it as an async context manager, or `aclose()` it.

    Times are in seconds: `time_limit` is for a whole call with all its retries, `connect_limit` for reaching the
    service, `max_wait` for all waits between a call's attempts. No more than `max_in_flight` requests are under way
    at once. A `transport` takes the place of the network. Raises ValueError for an address no key may be sent to.
    """

    def __init__(
        self,
        *,
        credential: Credential | None = None,
        base_url: str = BASE_URL,
        transport: httpx.AsyncBaseTransport | None = None,
        max_in_flight: int = 16,
        time_limit: float = 30.0,
        connect_limit: float = 5.0,
        max_wait: float = 20.0,
    ) -> None:
        self._base = parse_base_url(base_url, in_clear=transport is not None)
        self._forms: tuple[Credential | None, ...] = (None,) if credential is None else credential.forms
        self._time_limit = time_limit
        self._limits = {
            idempotent: {"connect": connect_limit, "read": silence, "write": silence, "pool": connect_limit}
            for idempotent, silence in ((True, time_limit / _SILENCES), (False, time_limit))
        }
        self._max_wait = max_wait
        self._places = anyio.Semaphore(max_in_flight, fast_acquire=True)
        self._quoted = Quoter(credential)
        self._transport = transport or _network(httpx.URL(self._base), max_in_flight)
        self._host = httpx.URL(self._base).host
        self._wire = Wire(self._transport, self._base, self._quoted)
        self._listing = Listing(lambda call: self._once(call, Progress()))
        self._additions: frozenset[str] | None = None

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, home: Path | None = None, **options: Any
    ) -> Self:
        """A client with the key and address that the official SDK would use.

        `options` are those of the constructor. Raises AuthenticationFailed where there is no key.
        """
        environ = os.environ if environ is None else environ
        credential = find_credential(environ, home or Path.home())
        if credential is None:
            raise AuthenticationFailed(
                "there is no WAYSCloud key", advice="set WAYSCLOUD_API_KEY, or log in with the WAYSCloud CLI"
            )
        base_url = environ.get("WAYSCLOUD_API_URL", "").strip() or BASE_URL
        return cls(**{"credential": credential, "base_url": base_url, **options})

    async def send(self, call: Call[AnswerT], report: ProgressCallback | None = None) -> AnswerT:
        """Send a call and return what the service answers; raises a ContactsError.

        A call that may have taken effect is only repeated where that changes nothing more. `report` is told how far a
        call is that takes many requests.
        """
        progress = Progress()
        with anyio.move_on_after(self._time_limit):
            return await self._perform(call, progress, report)
        raise progress.out_of_time(self._time_limit)

    async def extensions(self) -> frozenset[str]:
        """What the service offers beyond the API's page, such as `scan` and `batch`; nothing where it does not say.

        It is asked once. An answer that is none counts as nothing; one that did not come is asked for again next time.
        """
        if self._additions is None:
            try:
                found = await self.send(DescribeDirectory())
            except (Unreachable, RateLimited):
                return frozenset()
            except ContactsError:
                self._additions = frozenset()
            else:
                self._additions = frozenset(found.extensions)
        return self._additions

    async def iterate(self, call: ListContacts) -> AsyncIterator[Contact]:
        """List from the call's page to the last, a page at a time as it is wanted; each contact once."""
        seen: set[str] = set()
        number = call.page
        while True:
            page = await self.send(call.model_copy(update={"page": number}))
            fresh = list({row.id: row for row in page.contacts if row.id not in seen}.values())
            seen.update(row.id for row in fresh)
            for row in fresh:
                yield row
            before = (call.page - 1) * (page.per_page or call.per_page)
            if not fresh or (page.total is not None and before + len(seen) >= page.total):
                return
            number += 1

    async def _perform(self, call: Call[AnswerT], progress: Progress, report: ProgressCallback | None) -> AnswerT:
        if isinstance(call, ListContacts):
            return cast("AnswerT", await self._listing.page(call, report))
        if isinstance(call, UpdateContact | UpdateContactGroup):
            once = partial(self._once, progress=progress)
            return await update(cast("Call[AnswerT]", call), once)
        return await self._once(call, progress)

    async def _once(self, call: Call[AnswerT], progress: Progress) -> AnswerT:
        request = request_of(call)
        answer = await self._answer(request, call, progress)
        if answer.status == HTTPStatus.NOT_FOUND and request.method == "DELETE" and progress.unsettled:
            answer = Answer(HTTPStatus.NO_CONTENT, b"")  # an attempt whose answer was lost has done it
        result = read(call, answer, self._quoted)
        if isinstance(result, Added) and progress.lost:
            return cast("AnswerT", Added())  # whom the lost attempt has added, this one did not count
        return result

    async def _answer(self, request: Request, call: Call[Any], progress: Progress) -> Answer:
        """The first answer that is no 401, over the ways to send the key; the one that works is kept."""
        forms = self._forms
        attempts = Attempts(call.route, self._host)
        answers = []
        for form in forms:
            patience = Patience(idempotent=call.idempotent, max_wait=self._max_wait)
            attempt = partial(self._attempt, request, form, self._limits[call.idempotent], progress, attempts)
            try:
                answer = await persist(attempt, patience)
            except Setback as setback:
                raise progress.conclude(setback.error) from setback.__cause__
            if is_success(answer.status):
                self._forms = (form,)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
            answers.append(answer)
        self._forms = forms[:1]
        return answers[0]

    async def _attempt(
        self,
        request: Request,
        form: Credential | None,
        limits: dict[str, float],
        progress: Progress,
        attempts: Attempts,
    ) -> Answer:
        """Send a request once, and keep account of what it may have changed."""
        async with self._places:
            before = progress.unsettled
            progress.unsettled = before or request.method != "GET"
            try:
                answer = await attempts.observe(self._wire.exchange(request, form, limits))
                if answer.status in _PASSING:
                    raise self._setback(request.method, answer)
            except Setback as setback:
                progress.unsettled = before or setback.may_have_worked
                progress.lost = progress.lost or setback.may_have_worked
                raise
            if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                progress.unsettled = before
            return answer

    def _setback(self, method: str, answer: Answer) -> Setback:
        """A status that passes: 429 refuses, the others are a gateway's that may have lost the answer."""
        seconds = retry_after(answer.retry_after, datetime.now(UTC))
        error = fault(method, answer.status, answer.body, self._quoted, retry_after=seconds)
        may_have_worked = method != "GET" and answer.status != HTTPStatus.TOO_MANY_REQUESTS
        return Setback(error, may_have_worked=may_have_worked, retry_after=seconds)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<ContactsClient of {self._base} with {self._forms[0] or 'no credential'}>"


@cache
def _trust() -> ssl.SSLContext:
    """The certificate authorities, read once for every client: that takes 40 ms."""
    return httpx.create_ssl_context()


def _network(base: httpx.URL, connections: int) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(
        verify=_trust() if base.scheme == "https" else False,  # loopback http has no certificates
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_IDLE_SECONDS
        ),
        proxy=proxy_for(base),
    )
