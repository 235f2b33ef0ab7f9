"""What goes wrong outside of tools, as protocol errors of one line."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, PaginatedRequestParams

from contacts_mcp.contract import ContactsError, NotFound, ValidationFailed
from contacts_mcp.server._calls import Calls
from contacts_mcp.server._elicitation import Context, is_modern
from contacts_mcp.server._results import one_line

T = TypeVar("T")

_RESOURCE_NOT_FOUND = -32002
"""What the legacy era says of an address where nothing is; the modern era says that the parameters are wrong."""


async def attempt(calls: Calls, ctx: Context, work: Awaitable[T], *, uri: str | None = None) -> T:
    """Do the work of a request, as one of the calls under way.

    Raises:
        MCPError: in one line, for what went wrong; about `uri`, where the request was for one.
    """
    with _protocol_errors(ctx, uri), calls.under_way(ctx):
        return await work
    raise MCPError(INTERNAL_ERROR, "stopping: the server is stopping; ask again in a moment")


@contextmanager
def _protocol_errors(ctx: Context, uri: str | None) -> Iterator[None]:
    try:
        yield
    except NotFound as exc:
        code = INVALID_PARAMS if is_modern(ctx) else _RESOURCE_NOT_FOUND
        raise MCPError(code, one_line(str(exc)), data={"uri": uri}) from None
    except ValidationFailed as exc:
        raise invalid(str(exc)) from None
    except ContactsError as exc:
        raise MCPError(INTERNAL_ERROR, one_line(str(exc))) from None


def invalid(line: str) -> MCPError:
    """The error for parameters that cannot be used."""
    return MCPError(INVALID_PARAMS, one_line(line))


def require_first_page(params: PaginatedRequestParams) -> None:
    """Refuse a cursor for a list that has one page alone.

    Raises:
        MCPError: there is a cursor, which cannot have been given here.
    """
    if params.cursor is not None:
        raise invalid("invalid: cursor: does not belong to this list; list again from the start")
