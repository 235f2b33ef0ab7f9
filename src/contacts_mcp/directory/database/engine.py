"""What a database has to offer. There are two: a SQLite file, and a PostgreSQL server."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from contacts_mcp.directory._errors import DirectoryUnavailable

T = TypeVar("T")

Work = Callable[[Connection], T]
"""What is done in one transaction. It may be run again from the start, where something was in its way."""


KEEPS_PLANS = "keeps_plans"
"""The execution option of connections whose server plans a statement but once, before it knows any value."""


class Engine(Protocol):
    """A database that was opened and has its tables. Each work is one transaction, which is undone where it raises."""

    @property
    def writers(self) -> int:
        """How many transactions may write at once."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a snapshot."""
        ...

    async def ask(self, work: Work[T]) -> T:
        """Do the same, at the least cost where `work` is a single statement."""
        ...

    async def look_up(self, work: Work[T]) -> T:
        """Do the same, where that statement is carried out in one way whatever its values are."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run `work`; when this returns, its changes are on the disk."""
        ...

    async def scrub(self) -> None:
        """Remove what was deleted from the disk, and wait for it; what holds this up is logged."""
        ...

    async def close(self) -> None:
        """Close every connection, of which none is in use any more."""
        ...


class Faults(Protocol):
    """What the errors of a driver mean."""

    @property
    def tries(self) -> int:
        """How often work is begun at most, where something passing is in its way."""
        ...

    def is_transient(self, error: BaseException) -> bool:
        """Whether another writer was in the way, so that the same work may succeed in a moment."""
        ...

    def explain(self, error: BaseException) -> DirectoryUnavailable | None:
        """What the error means to somebody who keeps contacts, and what to do; None: it is the program's own."""
        ...
