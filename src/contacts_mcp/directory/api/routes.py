"""What the routes share: the way to the caller's part of the database, and how an answer is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Path, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Connection
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.types import Scope

from contacts_mcp.directory.api.bodies import RecordId
from contacts_mcp.directory.database import OWNER, Database

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TenantDatabase:
    """The part of the database that a caller works in. Its methods are those of Database; work gets the tenant too."""

    database: Database
    tenant: int = OWNER
    actor: str = "embedded"
    """Who asks, as receipts name them."""

    async def read(self, work: Callable[Concatenate[Connection, int, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on a snapshot."""
        return await self.database.read(work, self.tenant, *args, **kwargs)

    async def ask(self, work: Callable[Concatenate[Connection, int, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work`, which is mostly a single statement, on a snapshot."""
        return await self.database.ask(work, self.tenant, *args, **kwargs)

    async def look_up(self, work: Callable[Concatenate[Connection, int, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work`, which is mostly a single statement, carried out in one way whatever its values are."""
        return await self.database.look_up(work, self.tenant, *args, **kwargs)

    async def write(self, work: Callable[Concatenate[Connection, int, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` as a writer."""
        return await self.database.write(work, self.tenant, *args, **kwargs)

    async def erase(self, work: Callable[Concatenate[Connection, int, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` as a writer, then remove from the disk what it deleted."""
        return await self.database.erase(work, self.tenant, *args, **kwargs)


TenantOf = Callable[[Scope], TenantDatabase]
"""Whose part of the database a request is about."""


async def _tenancy(request: Request) -> TenantDatabase:  # async, or FastAPI would call it in a thread
    tenant_of: TenantOf = request.app.state.tenant_of
    return tenant_of(request.scope)


Tenancy = Annotated[TenantDatabase, Depends(_tenancy)]
ContactId = Annotated[RecordId, Path()]
GroupId = Annotated[RecordId, Path()]


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Write JSON as it is: rows come from the table in their final form and need no second validation."""
    return JSONResponse(content, status, headers)


class _NotGroups(StringConvertor):
    """What stands where a contact's id does, but for the groups, which have routes of their own."""

    regex = "(?!groups(?:/|$))[^/]+"


register_url_convertor("contact", _NotGroups())
