"""The request that is served: its caller, id and connection, the calls that are running, and how errors are worded."""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, PaginatedRequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from contacts_mcp.client import Credential
from contacts_mcp.contract import RateLimited, Risk
from contacts_mcp.middleware import CURRENT_REQUEST_ID, REQUEST_ID_SCOPE_KEY
from contacts_mcp.text import sanitize_line
from contacts_mcp.tools import Backend

CALLER_SCOPE_KEY = "contacts_mcp.caller"  # in the ASGI scope of a request that a transport has authenticated
ACTIVE_CALLS_SCOPE_KEY = "contacts_mcp.calls"
"""Key of the cancel scopes of a request's calls in the ASGI scope: the transport cancels them if the caller leaves."""
FILES_URL_SCOPE_KEY = "contacts_mcp.files_url"
"""Key of the address of a request's file links, without their token, in the ASGI scope."""
APPROVALS_URL_SCOPE_KEY = "contacts_mcp.approvals_url"
"""Key of the address of the pages of approvals, without an id, in the ASGI scope."""
CONSOLE_SCOPE_KEY = "contacts_mcp.console"
"""Key in the ASGI scope of a request that the console's page has sent: only the console's own middleware sets it."""

_MAX_LINE_LENGTH = 1_000
_MAX_HOST_NAME_LENGTH = 60

RequestContext = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller of the server.

    Attributes:
        principal: identifies the caller; it never contains a key. Consent and sessions are bound to it.
        risks: what the caller may do.
        credential: the caller's own WAYSCloud credential, if each caller brings one.
        named_directory: the name of the directory that the credential opens, if the service tells.
        may_approve: whether the caller may decide on the calls of others.
    """

    principal: str
    risks: frozenset[Risk] = frozenset(Risk)
    credential: Credential | None = field(default=None, repr=False)
    named_directory: str = ""
    may_approve: bool = False

    @property
    def tenant(self) -> str:
        """Whose directory the caller works on: each credential has its own, all other callers share one."""
        return self.principal if self.credential else ""

    @property
    def directory(self) -> str:
        """The directory whose pending calls the caller can see: that of `tenant`, or the one that several keys open."""
        return self.named_directory or self.tenant


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What the service tells of a key: the name of its directory, and whether it may decide on the calls of others."""

    directory: str = ""
    may_approve: bool = False


BackendFactory = Callable[[Caller], Backend]  # returns the backend that a caller works on
LOCAL_CALLER = Caller("local")  # the only caller of a server on standard input and output


def caller_of(ctx: RequestContext) -> Caller:
    """Return the caller of a request. Raises KeyError if a network transport has not authenticated one."""
    caller: Caller = LOCAL_CALLER if ctx.request is None else ctx.request.scope[CALLER_SCOPE_KEY]
    return caller


def host_name(ctx: RequestContext) -> str:
    """Return the name and version that the host gives itself, on one line; empty if it gives none."""
    client = ctx.session.client_params
    if client is None:
        return ""
    return sanitize_line(f"{client.client_info.name} {client.client_info.version}".strip(), _MAX_HOST_NAME_LENGTH)


def request_id_of(ctx: RequestContext) -> str:
    """Return the request's id in the logs: the network transport's, or the JSON-RPC id without one."""
    return str(ctx.request_id) if ctx.request is None else str(ctx.request.scope[REQUEST_ID_SCOPE_KEY])


def files_url_of(ctx: RequestContext) -> str | None:
    """Return the address of file links, to which a token is appended; None without a network transport."""
    return None if ctx.request is None else ctx.request.scope.get(FILES_URL_SCOPE_KEY)


def approvals_url_of(ctx: RequestContext) -> str | None:
    """Return the address of pages, to which an approval's id is appended; None if the transport serves none."""
    return None if ctx.request is None else ctx.request.scope.get(APPROVALS_URL_SCOPE_KEY)


def is_of_console(ctx: RequestContext) -> bool:
    """Whether a person's console has sent the request, and not a host or a model."""
    return ctx.request is not None and ctx.request.scope.get(CONSOLE_SCOPE_KEY) is True


def connection_of(ctx: RequestContext) -> Connection:
    """Return the connection of a request: its `state` lasts as long as the session, its `exit_stack` runs at the end.

    The SDK documents both for handlers, but gives low-level handlers no public access. Every other way to notice the
    end of a session is a guess: idle times, garbage collection.
    """
    return ctx.session._connection  # noqa: SLF001 - see above


def is_modern(ctx: RequestContext) -> bool:
    """Whether the client speaks the stateless protocol era (2026-07-28)."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


class ActiveCalls:
    """The calls that are running, so that a transport or a stopping server can cancel them.

    `max_per_caller` limits the calls that one caller can have running; None sets no limit.
    """

    def __init__(self, max_per_caller: int | None = None) -> None:
        self._max_per_caller = max_per_caller
        self._per_caller: Counter[str] = Counter()
        self._scopes: set[anyio.CancelScope] = set()
        self._call_ended = anyio.Event()

    @contextmanager
    def running(self, ctx: RequestContext) -> Iterator[None]:
        """Run a call inside the block; if it is cancelled, execution continues after the block.

        Raises RateLimited if the caller has too many calls running.
        """
        principal = caller_of(ctx).principal
        if self._max_per_caller is not None and self._per_caller[principal] >= self._max_per_caller:
            raise RateLimited(f"{self._max_per_caller} of your calls are still running", retry_after=1)
        asgi_scope = {} if ctx.request is None else ctx.request.scope
        of_request: set[Any] = asgi_scope.setdefault(ACTIVE_CALLS_SCOPE_KEY, set())
        with anyio.CancelScope() as scope:
            self._per_caller[principal] += 1
            self._scopes.add(scope)
            of_request.add(scope)
            try:
                yield
            finally:
                self._per_caller[principal] -= 1
                if not self._per_caller[principal]:
                    del self._per_caller[principal]
                self._scopes.discard(scope)
                of_request.discard(scope)
                self._call_ended.set()

    @property
    def is_idle(self) -> bool:
        """Whether no call is running."""
        return not self._scopes

    async def wait_until_idle(self) -> None:
        """Wait until no call is running."""
        while not self.is_idle:
            self._call_ended = anyio.Event()
            await self._call_ended.wait()

    def cancel_all(self) -> None:
        """Cancel every running call; each still answers with what is known of its outcome."""
        for scope in list(self._scopes):
            scope.cancel()


def one_line(text: str) -> str:
    """Return the text on one line, sanitized and shortened."""
    return sanitize_line(text, _MAX_LINE_LENGTH)


def invalid_params(message: str) -> MCPError:
    """Return the protocol error for parameters that cannot be used."""
    return MCPError(INVALID_PARAMS, one_line(message))


def require_first_page(params: PaginatedRequestParams | None) -> None:
    """Refuse a cursor for a list that has only one page. Raises MCPError."""
    if params and params.cursor is not None:
        raise invalid_params("invalid: cursor: is not from this list; list again from the start")


def internal_error_line(what: str, advice: str = "read the record back, and") -> str:
    """Return the line that reports a bug: no details, but the request id by which the operator finds the log line."""
    request_id = CURRENT_REQUEST_ID.get()
    suffix = f" the request id {request_id}" if request_id else ""
    return f"internal_error: {what} failed here; {advice} tell the operator{suffix}"


def exception_site(exc: Exception) -> str:
    """Return the type of an exception and the line that raised it. Its message could contain personal data."""
    frames = traceback.extract_tb(exc.__traceback__)
    return f"{type(exc).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(exc).__name__
