"""Connections through a pooler such as PgBouncer, which may run each transaction in another session of the server.

What one transaction leaves in a session would be missing in the next, or be found by another program. So statements
have no name and are sent again with each execution, and settings are those of one transaction. That is slower than a
session of one's own, so it is only done if a pooler is detected.
"""

from collections.abc import Mapping
from typing import Any

import asyncpg
from asyncpg.exceptions import PostgresConnectionError, ProtocolViolationError

_MAX_WAIT_SECONDS = 10.0
"""For a free session, so that the answer comes before callers give up. By default, PgBouncer waits for two minutes."""
_SETTINGS = "SET LOCAL jit = off"
"""Added to each BEGIN, which costs no round trip. Plans need no setting: each execution is planned for its values."""

_NO_FREE_SESSION = (
    "is behind a pooler that has no free connection to it",
    "try again; if that does not help, check the server and the size of the pool",
)
_NO_ROOM = ("is behind a pooler that has no room for another connection", "try again, or raise its limits")
_DOES_NOT_EXIST = ("does not exist", "create it, or correct the address")
_UNKNOWN_USER = ("does not accept this user or password", "correct the address")
_REFUSALS = (  # PgBouncer reports most errors with one SQLSTATE, so its messages are compared
    ("query_wait_timeout", _NO_FREE_SESSION),
    ("no more connections allowed", _NO_ROOM),
    ("client connections exceeded", _NO_ROOM),
    ("statement pooling", ("is behind a pooler that has no transactions", "set its pool_mode to transaction")),
    ("no such database", _DOES_NOT_EXIST),
    ("does not exist", _DOES_NOT_EXIST),
    ("no such user", _UNKNOWN_USER),
    ("login rejected", _UNKNOWN_USER),
    ("authentication failed", _UNKNOWN_USER),
)


class ConnectionRefused(Exception):
    """No connection can be made; `problem` and `advice` are parts of a sentence about the database."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice


class PooledConnection(asyncpg.Connection):  # type: ignore[misc] # the driver has no types
    """A connection to a pooler. It must be opened with `statement_cache_size=0`.

    The driver then sends an unnamed statement together with its values, in one message that no other program's
    statement can come between.
    """

    _server_caps: Any

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # The driver would turn jit off for the whole session when it looks up a type.
        self._server_caps = self._server_caps._replace(jit=False)

    async def prepare(self, query: str, **options: Any) -> Any:
        """Prepare a statement without a name, also if the options have one."""
        return await super().prepare(query, **{**options, "name": ""})

    async def execute(self, query: str, *args: object, **options: Any) -> str:
        """Execute a statement. If it begins a transaction, raise ConnectionRefused if no session is free in time."""
        if not query.startswith("BEGIN"):
            return str(await super().execute(query, *args, **options))
        try:
            return str(await super().execute(f"{query} {_SETTINGS}", timeout=_MAX_WAIT_SECONDS))
        except TimeoutError as exc:
            self.terminate()  # it still waits for a session
            raise ConnectionRefused(*_NO_FREE_SESSION) from exc
        except PostgresConnectionError as exc:
            raise explain_refusal(exc) or exc from exc


async def is_direct(connection: "asyncpg.Connection", session: Mapping[str, str]) -> bool:
    """Whether a new connection has a session of its own, with these settings; if not, it is closed.

    A pooler announces an id of a process that is not the session's, or ignores settings.
    """
    settings = (f"current_setting('{name}') = '{value}'" for name, value in session.items())
    conditions = " AND ".join((f"pg_backend_pid() = {connection.get_server_pid()}", *settings))
    try:
        found = await connection.execute(f"SELECT WHERE {conditions}", timeout=_MAX_WAIT_SECONDS)
    except BaseException:
        connection.terminate()
        raise
    if found == "SELECT 1":
        return True
    await connection.close()
    return False


def refuses_settings(error: BaseException) -> bool:
    """Whether a server does not accept settings when a connection is opened, as only poolers do."""
    return isinstance(error, ProtocolViolationError) and "startup parameter" in str(error)


def explain_refusal(error: BaseException) -> ConnectionRefused | None:
    """Return what a pooler's error means and what to do about it, None if it is not one that a pooler explains."""
    message = str(error.__cause__ or error)  # if the pooler has closed the connection, its reason is the cause
    return next((ConnectionRefused(*meaning) for part, meaning in _REFUSALS if part in message), None)
