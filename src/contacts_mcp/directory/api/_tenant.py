"""The tenant that a request is about, and the parameters that several routes share."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request
from starlette.convertors import StringConvertor, register_url_convertor

from contacts_mcp.directory.api._bodies import ContactType, Encodable, RecordId
from contacts_mcp.directory.database import OWNER, Database

TENANT_SCOPE_KEY = "contacts_mcp.directory.tenant"
"""ASGI scope key of the Tenant that a caller's API key belongs to."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """The records that a caller can see: those of one tenant in a database."""

    database: Database
    id: int = OWNER
    actor: str = "embedded"
    """Who the caller is, as receipts of erasures name them."""


async def _current_tenant(request: Request) -> Tenant:  # async, or FastAPI would call it in a thread
    """Return the only tenant of an embedded directory, or the one that a middleware has put into the scope."""
    return request.app.state.tenant or request.scope[TENANT_SCOPE_KEY]  # type: ignore[no-any-return]


CurrentTenant = Annotated[Tenant, Depends(_current_tenant)]
ContactId = Annotated[RecordId, Path()]
GroupId = Annotated[RecordId, Path()]
TypeFilter = Annotated[ContactType | None, Query(description="Only contacts of this type.")]
SearchFilter = Annotated[
    str,
    Query(
        max_length=255,
        description="Words of name, company or e-mail address in any order; accents do not matter, and the last word"
        " may be unfinished. Or digits of the phone number.",
    ),
]
TagsFilter = Annotated[
    list[Encodable] | None,
    Query(max_length=50, description="Only contacts that have this tag. Repeat the parameter for several tags."),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="A text that the caller chooses. Another request with the same key and body within 24 hours creates"
        " nothing and returns the record that was created, as it is now.",
    ),
]


class _ContactIdConvertor(StringConvertor):
    """A path segment that is not `groups`, which has routes of its own."""

    regex = "(?!groups(?:/|$))[^/]+"


register_url_convertor("contact", _ContactIdConvertor())
