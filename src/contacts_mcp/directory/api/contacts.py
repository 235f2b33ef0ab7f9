"""The six contact routes, in the order of the API's page."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from contacts_mcp.directory import store
from contacts_mcp.directory.api import rows
from contacts_mcp.directory.api.bodies import ContactChanges, ContactType, Erasure, NewContact, Storable
from contacts_mcp.directory.api.creating import IdempotencyKey, create
from contacts_mcp.directory.api.routes import ContactId, Tenancy, answer

router = APIRouter(prefix="/v1/contacts")

_LAST_PAGE = 1_000_000_000  # keeps every offset within what a database counts


@router.get("")
async def list_contacts(
    directory: Tenancy,
    type: ContactType | None = None,  # noqa: A002 - the parameter's name on the wire
    search: Annotated[str, Query(max_length=255)] = "",
    tags: Annotated[list[Storable] | None, Query(max_length=50)] = None,
    page: Annotated[int, Query(ge=1, le=_LAST_PAGE)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """List contacts: `{"contacts": [row], "total", "page", "per_page"}`, newest first.

    `type`, `search` (see `store.query`) and every one of `tags` (but for case) have to match; blank ones do not filter.
    Where a search finds next to nothing, contacts that are spelt nearly so follow, and `similar` says how many.
    The order is total and lasts: a contact created between two pages moves the later rows on by one, so that one may
    be seen twice but none is missed; a deletion moves them back.
    """
    query = store.parse_query(type, search, tags or ())
    ask = directory.look_up if query.is_lookup else directory.ask
    listed = await ask(store.list_contacts, query, page=page, per_page=per_page)
    shown = {"contacts": [rows.contact_row(row) for row in listed.rows], "total": listed.total}
    similar = {"similar": listed.similar} if listed.similar else {}
    return answer({**shown, "page": page, "per_page": per_page, **similar})


@router.post("")
async def create_contact(directory: Tenancy, body: NewContact, idempotency_key: IdempotencyKey = None) -> Response:
    """Create contact: 201 with the contact in full."""
    made = await create(directory, idempotency_key, body.model_dump(), store.create_contact, store.get_contact)
    return answer(rows.contact(made.row), 201, made.headers)


@router.get("/{contact_id:contact}")
async def get_contact(directory: Tenancy, contact_id: ContactId) -> Response:
    """Get contact: the contact in full."""
    return answer(rows.contact(await directory.look_up(store.get_contact, contact_id)))


@router.patch("/{contact_id:contact}")
async def update_contact(directory: Tenancy, contact_id: ContactId, body: ContactChanges) -> Response:
    """Update contact: null clears a field, `tags` are replaced; the contact in full."""
    changes = body.model_dump(exclude_unset=True)
    return answer(rows.contact(await directory.write(store.update_contact, contact_id, changes)))


@router.delete("/{contact_id:contact}")
async def delete_contact(directory: Tenancy, contact_id: ContactId) -> Response:
    """Delete contact: 204. 'This is a soft delete'; it is no erasure."""
    await directory.write(store.delete_contact, contact_id)
    return Response(status_code=204)


@router.post("/{contact_id:contact}/gdpr-delete")
async def gdpr_delete_contact(directory: Tenancy, contact_id: ContactId, body: Erasure) -> Response:
    """GDPR anonymize contact: `{"ok": true}` once nothing of it is left. A deleted contact can be erased as well.

    The page documents no answer. To repeat it is no error and keeps the first reason and time.
    """
    await directory.erase(store.erase_contact, contact_id, body.reason, directory.actor)
    return answer({"ok": True})
