"""Routes beyond the API's page, for jobs on many contacts; whoever uses them has asked the first whether they are here.

Their paths cannot be taken for a documented one.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from contacts_mcp.directory.api.batch import Checked, write_batch
from contacts_mcp.directory.api.bodies import Batch, ContactType, RecordId, Storable
from contacts_mcp.directory.api.routes import Tenancy
from contacts_mcp.directory.store import parse_query, scan_contacts

router = APIRouter(prefix="/v1/directory")

Field = Literal[
    "id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at"
]
_MOST_SCANNED = 5_000
_LAST = 2**62


@router.get("")
async def describe() -> Response:
    """What is offered: `{"extensions": [name]}`."""
    return _answer({"extensions": ["batch", "scan"]})


@router.get("/contacts")
async def scan(
    directory: Tenancy,
    fields: Annotated[list[Field], Query(min_length=1)],
    limit: Annotated[int, Query(ge=1, le=_MOST_SCANNED)] = _MOST_SCANNED,
    after: Annotated[int, Query(ge=0, le=_LAST)] = 0,
    type: ContactType | None = None,  # noqa: A002 - the parameter's name on the wire
    search: Annotated[str, Query(max_length=255)] = "",
    tags: Annotated[list[Storable] | None, Query(max_length=50)] = None,
    group_id: RecordId | None = None,
) -> Response:
    """Scan contacts: `{"fields": [name], "rows": [[value]], "next": cursor or null}`, in the order of their creation.

    Filters are those of a list; `group_id` leaves the members of a group, and is 404 where there is none. A page may
    be shorter than `limit`: only a null `next` is the end.
    """
    query = parse_query(type, search, tags or ())
    rows, following = await directory.read(scan_contacts, fields, query, group_id, after=after, limit=limit)
    return _answer({"fields": fields, "rows": rows, "next": None if following is None else str(following)})


@router.post("/contacts")
async def batch(directory: Tenancy, body: Batch) -> Response:
    """Write contacts: `{"results": [{"status", "id" or "detail"}]}`, of `creates` in their order, then of `updates`.

    An item is what the single request would send, an update with its `id`. All of them are written in one
    transaction, but for those that are refused.
    """
    checked = Checked(body.creates, body.updates)
    return _answer({"results": await directory.write(write_batch, checked)})


def _answer(content: Any) -> Response:
    """JSON, by the fastest writer there is: pages are large."""
    return Response(to_json(content), media_type="application/json")
