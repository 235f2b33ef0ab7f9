"""Creating a record once, however often the request comes: `Idempotency-Key`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Header
from sqlalchemy import Connection

from contacts_mcp.directory.api.routes import TenantDatabase
from contacts_mcp.directory.store import Row, create_once

IdempotencyKey = Annotated[str | None, Header(pattern=r"^[\x21-\x7e]{1,255}$")]


@dataclass(frozen=True, slots=True)
class Made:
    """A record, and what the answer's headers say of how it came about."""

    row: Row
    headers: dict[str, str] = field(default_factory=dict)


async def create(
    directory: TenantDatabase,
    key: str | None,
    values: Row,
    make: Callable[[Connection, int, Row], Row],
    get: Callable[[Connection, int, str], Row],
) -> Made:
    """Create a record by `make`; with a key that was used before, `get` the one that was made then.

    Raises:
        DirectoryNotFound: what was made then has been deleted since.
        Conflict: the key was used with other values.
    """
    if key is None:
        return Made(await directory.write(make, values))
    row, again = await directory.write(create_once, key, values, make, get)
    return Made(row, {"Idempotency-Replayed": "true"} if again else {})
