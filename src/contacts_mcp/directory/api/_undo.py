"""Routes beyond the API documentation to undo the updates of batches, by the receipt that was sent with them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic_core import to_json

from contacts_mcp.directory import store
from contacts_mcp.directory._errors import DirectoryNotFound
from contacts_mcp.directory.api._requests import CurrentTenant, CurrentUndo, RecordId
from contacts_mcp.directory.api._responses import returns
from contacts_mcp.directory.database import format_seconds

undo_router = APIRouter(prefix="/v1/directory", tags=["Extensions"])

_MAX_ROWS = 1_000
_MAX_CURSOR = 2**62

Receipt = Annotated[RecordId, Path()]


@undo_router.get("/undo/{receipt}", summary="Read update that can be undone")
@returns("UndoPage")
async def read_undo(
    tenant: CurrentTenant,
    undo: CurrentUndo,
    receipt: Receipt,
    limit: Annotated[int, Query(ge=1, le=_MAX_ROWS)] = _MAX_ROWS,
    after: Annotated[int, Query(ge=0, le=_MAX_CURSOR, description="The `next` of the previous page.")] = 0,
) -> Response:
    """Read the contacts that the updates with a receipt changed: their values before, and what they have now.

    A contact whose `status` is `changed` or `deleted` stays as it is. Erased contacts are only counted. A page may be
    shorter than `limit`: only a null `next` marks the end. A receipt that was used or has expired is not found.
    """
    offer = _require(undo)
    work, now = store.read_undo, offer.now()
    page = await tenant.database.read(work, tenant.id, receipt, offer.keys, now=now, after=after, limit=limit)
    content = {
        "contacts": [_contact_json(each) for each in page.contacts],
        "next": None if page.cursor is None else str(page.cursor),
        "total": page.total,
        "erased": page.erased,
        "undo_until": format_seconds(page.expires),
    }
    return Response(to_json(content), media_type="application/json")


@undo_router.post("/undo/{receipt}", summary="Undo update")
@returns("Undone")
async def undo_update(tenant: CurrentTenant, undo: CurrentUndo, receipt: Receipt) -> Response:
    """Give up to 1,000 contacts the values back that the updates with a receipt replaced, in one transaction.

    Contacts that were changed since or deleted are counted and stay as they are. Send the request again until
    `remaining` is 0; then the receipt is used up. Each contact is restored once.
    """
    offer = _require(undo)
    work, now = store.undo_update, offer.now()
    done = await tenant.database.write(work, tenant.id, receipt, offer.keys, now=now, limit=_MAX_ROWS)
    return Response(to_json({**done._asdict(), "restored": len(done.restored)}), media_type="application/json")


def _require(undo: store.UndoOffer | None) -> store.UndoOffer:
    if undo is None:
        raise DirectoryNotFound("Undo receipt")
    return undo


def _contact_json(contact: store.UndoneContact) -> dict[str, Any]:
    is_deleted = contact.status == "deleted"
    return {
        "id": contact.row["id"],
        "name": contact.row["name"],
        "status": contact.status,
        "before": {} if is_deleted else contact.before,
        "current": {} if is_deleted else {name: contact.row[name] for name in contact.before},
    }
