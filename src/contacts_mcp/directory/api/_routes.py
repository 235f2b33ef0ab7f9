"""The routes of the API documentation, in its order. Summaries and first paragraphs are taken from it."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import NonNegativeInt
from pydantic_core import to_json
from sqlalchemy import Connection

from contacts_mcp.directory import store
from contacts_mcp.directory.api._requests import (
    ContactChanges,
    ContactId,
    CurrentTenant,
    Erasure,
    GroupChanges,
    GroupId,
    IdempotencyKey,
    NewContact,
    NewGroup,
    NewMembers,
    SearchFilter,
    TagsFilter,
    Tenant,
    TypeFilter,
)
from contacts_mcp.directory.api._responses import returns
from contacts_mcp.directory.store import Row

contacts_router = APIRouter(prefix="/v1/contacts", tags=["Contacts"])
groups_router = APIRouter(prefix="/v1/contacts/groups", tags=["Groups"])

ContactField = Literal[
    "id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at"
]
_CONTACT_FIELDS: tuple[str, ...] = get_args(ContactField)
_GROUP_FIELDS = ("id", "name", "description", "member_count", "created_at")
_RENAMED_FIELDS = ("previous_name", "renamed_at")  # an extension, of a group whose name was changed
_GROUP_ROW_FIELDS = ("id", "name", "member_count", "created_at")
_MAX_PAGE = 1_000_000_000  # keeps every offset within the integers of a database


@contacts_router.get("", summary="List contacts")
@returns("ContactPage")
async def list_contacts(
    tenant: CurrentTenant,
    type: TypeFilter = None,  # noqa: A002 - the parameter's name on the wire
    search: SearchFilter = "",
    tags: TagsFilter = None,
    page: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Response:
    """List all contacts with optional filtering by type, search query, or tags.

    The newest contacts come first. If a search matches hardly any contact, contacts with similar spellings follow.
    """
    # The order is total and stable: a contact created between two pages moves later rows on by one, so that one row may
    # be repeated but none is missed.
    query = store.parse_query(type, search, tags or ())
    read = tenant.database.look_up if query.is_lookup else tenant.database.query
    found = await read(store.list_contacts, tenant.id, query, page=page, per_page=per_page)
    content = {"contacts": [_contact_row(row) for row in found.rows], "total": found.total}
    similar = {"similar": found.similar} if found.similar else {}
    return JSONResponse({**content, "page": page, "per_page": per_page, **similar})


@contacts_router.post("", status_code=201, summary="Create contact")
@returns("Contact")
async def create_contact(tenant: CurrentTenant, body: NewContact, idempotency_key: IdempotencyKey = None) -> Response:
    """Create a new contact. Phone numbers should be in E.164 format for SMS sending."""
    row, headers = await _create(tenant, idempotency_key, body.model_dump(), store.create_contact, store.get_contact)
    return JSONResponse(_pick(row, _CONTACT_FIELDS), 201, headers)


@contacts_router.get("/{contact_id:contact}", summary="Get contact")
@returns("Contact")
async def get_contact(tenant: CurrentTenant, contact_id: ContactId) -> Response:
    """Get details of a specific contact."""
    row = await tenant.database.look_up(store.get_contact, tenant.id, contact_id)
    return JSONResponse(_pick(row, _CONTACT_FIELDS))


@contacts_router.patch("/{contact_id:contact}", summary="Update contact")
@returns("Contact")
async def update_contact(tenant: CurrentTenant, contact_id: ContactId, body: ContactChanges) -> Response:
    """Update an existing contact. Only provided fields are updated.

    Null clears a field, and `tags` are replaced.
    """
    changes = body.model_dump(exclude_unset=True)
    row = await tenant.database.write(store.update_contact, tenant.id, contact_id, changes)
    return JSONResponse(_pick(row, _CONTACT_FIELDS))


@contacts_router.delete("/{contact_id:contact}", status_code=204, summary="Delete contact")
async def delete_contact(tenant: CurrentTenant, contact_id: ContactId) -> Response:
    """Delete a contact. This is a soft delete - the contact can be restored via GDPR endpoints.

    The API documentation names no such endpoint, and this service has none. A deleted contact can still be erased.
    """
    await tenant.database.write(store.delete_contact, tenant.id, contact_id)
    return Response(status_code=204)


@contacts_router.post("/{contact_id:contact}/gdpr-delete", summary="GDPR anonymize contact")
@returns("Erased", ok=bool)
async def gdpr_delete_contact(tenant: CurrentTenant, contact_id: ContactId, body: Erasure) -> Response:
    """Permanently anonymize contact data for GDPR compliance. This is irreversible.

    A deleted contact can be erased as well. Erasing a contact again is no error and keeps the first reason and time.
    """
    await tenant.database.erase(store.erase_contact, tenant.id, contact_id, body.reason, tenant.actor)
    return JSONResponse({"ok": True})  # the response is undocumented


@groups_router.get("", summary="List contact groups")
@returns("Groups")
async def list_contact_groups(tenant: CurrentTenant) -> Response:
    """List all contact groups with member counts."""
    groups = await tenant.database.query(_groups_json, tenant.id)
    return Response(groups, media_type="application/json")


@groups_router.post("", status_code=201, summary="Create contact group")
@returns("Group")
async def create_contact_group(
    tenant: CurrentTenant, body: NewGroup, idempotency_key: IdempotencyKey = None
) -> Response:
    """Create a new contact group for organizing contacts.

    Several groups may have the same name.
    """
    row, headers = await _create(tenant, idempotency_key, body.model_dump(), store.create_group, store.get_group)
    return JSONResponse(_to_group(row), 201, headers)


@groups_router.get("/{group_id}", summary="Get contact group")
@returns("Group")
async def get_contact_group(tenant: CurrentTenant, group_id: GroupId) -> Response:
    """Get details of a specific contact group including member list.

    As in the example of the API documentation, the response has no members: use List group members.
    """
    return JSONResponse(_to_group(await tenant.database.look_up(store.get_group, tenant.id, group_id)))


@groups_router.patch("/{group_id}", summary="Update contact group")
@returns("Group")
async def update_contact_group(tenant: CurrentTenant, group_id: GroupId, body: GroupChanges) -> Response:
    """Update group name or description.

    Only provided fields are updated; null clears the description.
    """
    changes = body.model_dump(exclude_unset=True)
    return JSONResponse(_to_group(await tenant.database.write(store.update_group, tenant.id, group_id, changes)))


@groups_router.delete("/{group_id}", status_code=204, summary="Delete contact group")
async def delete_contact_group(tenant: CurrentTenant, group_id: GroupId) -> Response:
    """Delete a contact group. Contacts in the group are not deleted."""
    await tenant.database.write(store.delete_group, tenant.id, group_id)
    return Response(status_code=204)


@groups_router.get("/{group_id}/members", summary="List group members")
@returns("Members")
async def list_group_members(tenant: CurrentTenant, group_id: GroupId) -> Response:
    """List all contacts in a group.

    All members in one response, in the order in which they joined.
    """
    members = await tenant.database.read(_members_json, tenant.id, group_id)
    return Response(members, media_type="application/json")


@groups_router.post("/{group_id}/members", summary="Add members to group")
@returns("Added", added=NonNegativeInt)
async def add_group_members(tenant: CurrentTenant, group_id: GroupId, body: NewMembers) -> Response:
    """Add one or more contacts to a group.

    Ids of unknown or deleted contacts and of contacts that are members already are skipped and not counted.
    """
    return JSONResponse(
        {"added": await tenant.database.write(store.add_members, tenant.id, group_id, body.contact_ids)}
    )


@groups_router.delete("/{group_id}/members/{contact_id}", status_code=204, summary="Remove member from group")
async def remove_group_member(tenant: CurrentTenant, group_id: GroupId, contact_id: ContactId) -> Response:
    """Remove a contact from a group."""
    await tenant.database.write(store.remove_member, tenant.id, group_id, contact_id)
    return Response(status_code=204)


async def _create(
    tenant: Tenant,
    idempotency_key: str | None,
    values: Row,
    create: Callable[[Connection, int, Row], Row],
    get: Callable[[Connection, int, str], Row],
) -> tuple[Row, dict[str, str]]:
    """Create a record, or get the one that an earlier request with the same key created; with the response's headers.

    Raises:
        DirectoryNotFound: the record that the earlier request created has been deleted.
        Conflict: the earlier request had other values.
    """
    if idempotency_key is None:
        return await tenant.database.write(create, tenant.id, values), {}
    row, is_replay = await tenant.database.write(store.create_once, tenant.id, idempotency_key, values, create, get)
    return row, {"Idempotency-Replayed": "true"} if is_replay else {}


# Lists without pages may be long, so their responses are made in the thread of the transaction.


def _groups_json(connection: Connection, tenant: int) -> bytes:
    return to_json({"groups": [_pick(row, _GROUP_ROW_FIELDS) for row in store.list_groups(connection, tenant)]})


def _members_json(connection: Connection, tenant: int, group_id: str) -> bytes:
    return to_json({"members": [_member_row(row) for row in store.list_members(connection, tenant, group_id)]})


def _to_group(row: Row) -> dict[str, Any]:
    return _pick(row, _GROUP_FIELDS if row["renamed_at"] is None else (*_GROUP_FIELDS, *_RENAMED_FIELDS))


def _pick(row: Row, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: row[field] for field in fields}


def _member_row(row: Row) -> dict[str, Any]:
    """Return a contact in a group (API page: List group members)."""
    first_name, last_name = split_name(row["name"], row["type"])
    return {"id": row["id"], "first_name": first_name, "last_name": last_name, "phone_number": row["phone_number"]}


def _contact_row(row: Row) -> dict[str, Any]:
    """Return a contact in a list (API page: List contacts): without company, notes and times."""
    return {**_member_row(row), "email": row["email"], "contact_type": row["type"], "tags": row["tags"]}


def split_name(name: str, contact_type: str) -> tuple[str, str | None]:
    """Split a name into first and last name; joining them with a space gives the name again.

    The last word is the last name. A name of one word has none, and a company's name is not split.
    """
    first_name, _, last_name = name.rpartition(" ")
    if contact_type == "company" or not first_name:
        return name, None
    return first_name, last_name
