"""The connection behind a request."""

from mcp.server.connection import Connection

from contacts_mcp.server._elicitation import Context


def connection_of(ctx: Context) -> Connection:
    """Where a session keeps its state, where its end is noticed, and what is heard by it outside of any request.

    The SDK documents `Connection.state` and `.exit_stack` as meant for handlers, but gives low-level handlers no
    public way to them. Every other way to notice the end of a session guesses: idle times, garbage collection.
    """
    return ctx.session._connection  # noqa: SLF001 - see above
