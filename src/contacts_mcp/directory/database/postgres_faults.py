"""What PostgreSQL's errors mean to somebody who keeps contacts."""

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from contacts_mcp.directory._errors import DirectoryUnavailable
from contacts_mcp.directory._location import PostgresServer

_ADVICE = (
    ("40", 503, "is busy with others and nothing was changed", "try again"),
    ("55P03", 503, "is busy with others and nothing was changed", "try again"),
    ("57014", 503, "took too long and nothing was changed", "try again"),
    ("57", 503, "is shutting down or starting", "try again"),
    ("53100", 507, "is on a full disk and nothing was changed", "free some space"),
    ("53", 503, "has no room for another connection", "try again, or raise its limits"),
    ("25006", 503, "is read-only and nothing was changed", "use the primary server"),
    ("28", 503, "does not take this user or password", "correct the address"),
    ("3D", 503, "does not exist", "create it, or correct the address"),
    ("42501", 503, "does not let this user do that", "grant it rights on the schema and its tables"),
    ("58", 503, "cannot be read or written", "check the server's disk"),
    ("XX", 503, "is damaged", "see the server's log"),
    ("08", 503, "does not answer", "check that it runs and can be reached"),
)


class CutOff(Exception):
    """The connection was lost before the end of the transaction, of which nothing has been done."""


class PostgresErrors:
    """What the driver raises, with or without SQLAlchemy around it, about the database on `server`."""

    tries = 5  # two that wait for each other are told at once

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def is_transient(self, error: BaseException) -> bool:
        """Whether another writer was in the way, so that the same work may succeed in a moment."""
        return isinstance(error, CutOff) or _state(error) in ("40001", "40P01")

    def explain(self, error: BaseException) -> DirectoryUnavailable | None:
        """Say what a fault of the server means and what to do; None where the fault is the program's own."""
        if isinstance(error, PoolTimeout):
            return self._because(503, "has no free connection", "try again")
        state = _state(error)
        if state is None:
            outside = isinstance(error, OSError | CutOff) or (
                isinstance(error, DBAPIError) and error.connection_invalidated
            )
            return self._because(503, "does not answer", "check that it runs and can be reached") if outside else None
        for beginning, status, what, advice in _ADVICE:
            if state.startswith(beginning):
                return self._because(status, what, advice)
        return None

    def _because(self, status: int, what: str, advice: str) -> DirectoryUnavailable:
        return DirectoryUnavailable(f"The database {self._server} {what}; {advice}.", status=status)


def _state(error: BaseException) -> str | None:
    """The five characters by which PostgreSQL names an error."""
    cause: object = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None)
