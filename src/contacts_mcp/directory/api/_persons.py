"""Routes beyond the API documentation about all records of a person: read, merge, restore and erase them."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from contacts_mcp.directory import store
from contacts_mcp.directory.api._requests import ContactId, CurrentTenant, Merge, PersonErasure, SearchFilter
from contacts_mcp.directory.api._responses import returns

persons_router = APIRouter(prefix="/v1/directory", tags=["Extensions"])

_MAX_ROWS = 1_000
_MAX_CURSOR = 2**62
_FIELDS = (
    *("id", "type", "name", "company_name", "phone_number", "email"),
    *("updated_at", "deleted_at", "erased_at", "merged_into"),
)


@persons_router.get("/persons/{contact_id}", summary="Read person")
@returns("Person")
async def read_person(tenant: CurrentTenant, contact_id: ContactId) -> JSONResponse:
    """Read a contact, live, deleted or erased, with the records that were merged into it.

    An erased contact has the number of its receipt. An id that never existed is not found.
    """
    person = await tenant.database.read(store.read_person, tenant.id, contact_id)
    merged = [_record_json(each) for each in person.merged]
    return JSONResponse({**_record_json(person), "merged": merged, "group_ids": list(person.group_ids)})


@persons_router.post("/persons/{contact_id}/merge", summary="Merge contacts")
@returns("Merged")
async def merge_contacts(tenant: CurrentTenant, contact_id: ContactId, body: Merge) -> JSONResponse:
    """Delete contacts whose data another contact has taken over, and remember that they are the same person.

    `merged` has the ids that are linked to the contact: deleted contacts, too, but none that was erased, belongs to
    another merge or does not exist. The values of the contact itself do not change.
    """
    merged = await tenant.database.write(store.merge_contacts, tenant.id, contact_id, body.merge_ids)
    return JSONResponse({"merged": merged})


@persons_router.post("/persons/{contact_id}/restore", summary="Restore contact")
@returns("RestoredContact")
async def restore_contact(tenant: CurrentTenant, contact_id: ContactId) -> JSONResponse:
    """Make a deleted contact live again, and end its link to the contact that it was merged into.

    It is in no group. A contact that is not deleted stays as it is; an erased one is refused with 409.
    """
    restored = await tenant.database.write(store.restore_contact, tenant.id, contact_id)
    how = {"was_deleted": restored.was_deleted, "was_merged_into": restored.merged_into}
    return JSONResponse({**_record_json(restored.record), **how})


@persons_router.get("/deleted", summary="List deleted contacts")
@returns("DeletedPage")
async def list_deleted_contacts(
    tenant: CurrentTenant,
    search: SearchFilter = "",
    limit: Annotated[int, Query(ge=1, le=_MAX_ROWS)] = _MAX_ROWS,
    after: Annotated[int, Query(ge=0, le=_MAX_CURSOR, description="The `next` of the previous page.")] = 0,
) -> JSONResponse:
    """List deleted contacts that are not erased, in the order in which they were created.

    Only a null `next` marks the end.
    """
    work, query = store.list_deleted, store.parse_query(None, search)
    rows, cursor = await tenant.database.read(work, tenant.id, query, after=after, limit=limit)
    contacts = [_record_json(store.StoredRecord(row)) for row in rows]
    return JSONResponse({"contacts": contacts, "next": None if cursor is None else str(cursor)})


@persons_router.post("/persons/{contact_id}/erase", summary="Erase person")
@returns("Receipts")
async def erase_person(tenant: CurrentTenant, contact_id: ContactId, body: PersonErasure) -> JSONResponse:
    """Erase a contact and others permanently, live or deleted, in one transaction; each gets a receipt.

    `also_erase` must include all records that were merged into one of them, or the answer is 409 and nothing is erased.
    Contacts that were erased before keep their receipts, which are returned as well.
    """
    ids = [contact_id, *body.also_erase]
    work, erased_by = store.erase_contacts, tenant.actor
    receipts = await tenant.database.erase(work, tenant.id, ids, body.reason, erased_by, only=True)
    return JSONResponse({"receipts": [_receipt_json(each) for each in receipts]})


def _record_json(record: store.StoredRecord) -> Mapping[str, Any]:
    number = record.receipt.number if record.receipt else None
    return {**{name: record.row[name] for name in _FIELDS}, "status": record.status, "receipt": number}


def _receipt_json(receipt: store.Receipt) -> Mapping[str, Any]:
    names = ("number", "contact_id", "erased_at", "fields")
    return {name: getattr(receipt, name) for name in names}
