"""The directory as its users hold it: a place in, an ASGI app out."""

from types import TracebackType
from typing import Self

from contacts_mcp.directory._opening import open_database
from contacts_mcp.directory._place import Place
from contacts_mcp.directory.api import build_app
from contacts_mcp.directory.store.spent import spend


class Directory:
    """An embedded Contacts API over a SQLite file, created with its folders where missing, or a PostgreSQL database.

    `app` serves it: in process through `httpx.ASGITransport`, or by any ASGI server. The place is opened by the first
    request; where it cannot be used, each request answers 503 and the next one tries again. One directory belongs to
    one event loop; several directories, in one process or in many, may share a place.
    """

    def __init__(self, place: Place) -> None:
        self._database = open_database(place)
        self.app = build_app(self._database)

    async def spend(self, nonce: str, expires: float) -> bool:
        """Whether `nonce` is presented for the first time, in any process, before `expires` (seconds since 1970).

        Raises:
            DirectoryUnavailable: the file cannot be used.
        """
        return await self._database.write(spend, nonce, expires)

    async def aclose(self) -> None:
        """Finish the requests under way and close the file. Later requests answer 503. Closing twice is no error."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
