"""What both databases offer: a SQLite file and a PostgreSQL server."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from contacts_mcp.directory._errors import DirectoryUnavailable

T = TypeVar("T")

Work = Callable[[Connection], T]
"""The body of one transaction. It may run again from the start if another transaction was in its way."""

GENERIC_PLANS = "generic_plans"
"""Execution option of connections whose server plans a statement once, before it knows any value."""


class Engine(Protocol):
    """A database. Each `Work` is one transaction, which is rolled back if the work raises.

    Attributes:
        name: how messages refer to the database, such as `file /path` (without a password).
        max_writers: number of transactions that can write at the same time.
        max_attempts: how often work starts before a transient error is raised.
    """

    name: str
    max_writers: int
    max_attempts: int

    async def prepare(self) -> str:
        """Create the tables if the database is empty; return its revision. Raises DirectoryUnavailable."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""
        ...

    async def query(self, work: Work[T]) -> T:
        """Run `work` on a snapshot; cheapest if it executes a single statement."""
        ...

    async def look_up(self, work: Work[T]) -> T:
        """Run `work` like `query`; cheapest if the plan of the statement does not depend on its values."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run `work` as a writer; when this returns, its changes are on the disk."""
        ...

    async def scrub(self) -> None:
        """Remove deleted rows from the disk. If something prevents that, it is logged."""
        ...

    async def close(self) -> None:
        """Close every connection. None may be in use."""
        ...

    def is_transient(self, error: BaseException) -> bool:
        """Whether another transaction was in the way, so that the same work may succeed now."""
        ...

    def explain(self, error: BaseException) -> DirectoryUnavailable | None:
        """Return what a driver's error means for the operator and what to do; None if it is a bug of this program."""
        ...
