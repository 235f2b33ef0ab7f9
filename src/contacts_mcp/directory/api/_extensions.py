"""Routes beyond the API documentation, for jobs on many contacts. A client lists the extensions before it uses one.

No documented path can be mistaken for one of these.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from sqlalchemy import Connection

from contacts_mcp.directory import EXTENSIONS, UNDO, store
from contacts_mcp.directory.api._requests import (
    Batch,
    CurrentTenant,
    CurrentUndo,
    IdentifiedChanges,
    NewContact,
    RecordId,
    SearchFilter,
    TagsFilter,
    TypeFilter,
)
from contacts_mcp.directory.api._responses import returns
from contacts_mcp.directory.api._routes import ContactField
from contacts_mcp.directory.database import format_seconds

extensions_router = APIRouter(prefix="/v1/directory", tags=["Extensions"])

BatchResult = dict[str, Any]
"""The HTTP `status` of one item, with the `id` of the contact that was written or a `detail` without the input."""

_MAX_SCAN_ROWS = 5_000
_MAX_CURSOR = 2**62
_MAX_ITEM_ERRORS = 5
_NOT_FOUND: BatchResult = {"status": 404, "detail": "Contact not found"}
_NEW_CONTACT, _CHANGES = TypeAdapter(NewContact), TypeAdapter(IdentifiedChanges)


@extensions_router.get("", summary="List extensions")
@returns("Extensions")
async def list_extensions(tenant: CurrentTenant, undo: CurrentUndo) -> Response:
    """List the extensions to the API that this service offers, with the scopes and tenant of the caller's key."""
    of_key = {} if tenant.scopes is None else {"scopes": tenant.scopes, "tenant": tenant.name}
    return _json({"extensions": [*EXTENSIONS, UNDO] if undo else EXTENSIONS, **of_key})


@extensions_router.get("/contacts", summary="Scan contacts")
@returns("Scan")
async def scan_contacts(
    tenant: CurrentTenant,
    fields: Annotated[
        list[ContactField], Query(min_length=1, description="A field to read. Repeat the parameter for several fields.")
    ],
    limit: Annotated[int, Query(ge=1, le=_MAX_SCAN_ROWS)] = _MAX_SCAN_ROWS,
    after: Annotated[int, Query(ge=0, le=_MAX_CURSOR, description="The `next` of the previous page.")] = 0,
    type: TypeFilter = None,  # noqa: A002 - the parameter's name on the wire
    search: SearchFilter = "",
    tags: TagsFilter = None,
    group_id: Annotated[RecordId | None, Query(description="Only members of this group.")] = None,
) -> Response:
    """Read chosen fields of many contacts at once, in the order in which the contacts were created.

    A page may be shorter than `limit`: only a null `next` marks the end.
    """
    query = store.parse_query(type, search, tags or ())
    work = store.scan_contacts
    rows, cursor = await tenant.database.read(work, tenant.id, fields, query, group_id, after=after, limit=limit)
    return _json({"fields": fields, "rows": rows, "next": None if cursor is None else str(cursor)})


@extensions_router.post("/contacts", summary="Write contacts")
@returns("Results")
async def write_contacts(tenant: CurrentTenant, undo: CurrentUndo, body: Batch) -> Response:
    """Create and update contacts in one transaction, except for items that are refused.

    Results come in the order of the items: creates first, then updates. With `undo`, `undo_until` says until when the
    updates can be undone. It is null if there are too many of them, or if the directory has no key for undo.
    """
    batch = await asyncio.to_thread(ValidatedBatch, body.creates, body.updates)  # it takes longer than a turn
    if body.undo is None:
        return _json({"results": await tenant.database.write(write_batch, tenant.id, batch)})
    results, expires = await tenant.database.write(write_batch_with_undo, tenant.id, batch, undo, body.undo)
    if undo and expires is not None:
        undo.expire_later(tenant.database, expires)
    return _json({"results": results, "undo_until": None if expires is None else format_seconds(expires)})


class ValidatedBatch:
    """The valid items of a batch by their index, and the results of the invalid ones; made before the transaction."""

    def __init__(self, creates: Sequence[Any], updates: Sequence[Any]) -> None:
        self.results: list[BatchResult] = [{} for _ in (*creates, *updates)]
        self.creates = self._validate(_NEW_CONTACT, creates, 0)
        self.updates = self._validate(_CHANGES, updates, len(creates))

    def _validate(self, model: TypeAdapter[Any], items: Sequence[Any], first_index: int) -> dict[int, Any]:
        valid: dict[int, Any] = {}
        for index, item in enumerate(items, first_index):
            try:
                valid[index] = model.validate_python(item)
            except ValidationError as exc:
                self.results[index] = {"status": 422, "detail": _summarize(exc)}
        return valid


def write_batch(connection: Connection, tenant: int, batch: ValidatedBatch) -> list[BatchResult]:
    """Write the valid items and return the results of all items, creates first."""
    return write_batch_with_undo(connection, tenant, batch, None, "")[0]


def write_batch_with_undo(
    connection: Connection, tenant: int, batch: ValidatedBatch, undo: store.UndoOffer | None, receipt: str
) -> tuple[list[BatchResult], float | None]:
    """Write the valid items, whose updates can be undone by the receipt; see `store.update_with_undo`."""
    results = list(batch.results)  # a copy, because the transaction may run again
    created = store.create_contacts(connection, tenant, [body.model_dump() for body in batch.creates.values()])
    for index, row in zip(batch.creates, created, strict=True):
        results[index] = {"status": 201, "id": row["id"]}
    changes = [(body.id, body.model_dump(exclude_unset=True, exclude={"id"})) for body in batch.updates.values()]
    expires = None
    if undo is None:
        updated = store.update_contacts(connection, tenant, changes)
    else:
        updated, expires = store.update_with_undo(connection, tenant, receipt, undo.keys, changes, undo.now())
    for index, body in batch.updates.items():
        results[index] = {"status": 200, "id": body.id} if body.id in updated else _NOT_FOUND
    return results, expires


def _summarize(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_ITEM_ERRORS]
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in errors)


def _json(content: Any) -> Response:
    """Write large responses with the fastest JSON writer at hand."""
    return Response(to_json(content), media_type="application/json")
