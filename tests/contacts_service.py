"""`contacts-mcp directory serve` as a process, and keys for it."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from contacts_mcp.directory import Directory, Location, PostgresServer
from processes import Listening


def address_of(place: Location) -> str:
    """What the command line takes for a place."""
    return (
        place.url.replace("postgresql+asyncpg://", "postgresql://") if isinstance(place, PostgresServer) else str(place)
    )


def make_keys(place: Location, *tenants: str, scopes: Sequence[str] = ("read", "write")) -> list[str]:
    """A key for each of the tenants; for tests that have no event loop."""

    async def make() -> list[str]:
        async with Directory(place) as directory:
            return [(await directory.create_key("test", tenant, scopes))[0] for tenant in tenants]

    return asyncio.run(make())


class ContactsService(Listening):
    """The service, on a port that it chooses and names."""

    def __init__(self, home: Path, place: Location, *flags: str, **variables: str) -> None:
        where = ("--directory", address_of(place), "--port", "0")
        super().__init__(home, "contacts_mcp", "directory", "serve", *where, *flags, **variables)

    @property
    def url(self) -> str:
        """Where it listens."""
        found = re.search(r"listening on (http://[\d.]+:\d+)", self.written)
        assert found, self.written
        return found[1]
