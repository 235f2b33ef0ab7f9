"""The eight group routes, in the order of the API's page."""

from fastapi import APIRouter, Response

from contacts_mcp.directory import store
from contacts_mcp.directory.api import rows
from contacts_mcp.directory.api.bodies import GroupChanges, NewGroup, NewMembers
from contacts_mcp.directory.api.creating import IdempotencyKey, create
from contacts_mcp.directory.api.routes import ContactId, GroupId, Tenancy, answer

router = APIRouter(prefix="/v1/contacts/groups")


@router.get("")
async def list_groups(directory: Tenancy) -> Response:
    """List contact groups: `{"groups": [row]}` with member counts, newest first."""
    return answer({"groups": [rows.group_row(row) for row in await directory.ask(store.list_groups)]})


@router.post("")
async def create_group(directory: Tenancy, body: NewGroup, idempotency_key: IdempotencyKey = None) -> Response:
    """Create contact group: 201 with the group. Two groups may have one name."""
    made = await create(directory, idempotency_key, body.model_dump(), store.create_group, store.get_group)
    return answer(rows.group(made.row), 201, made.headers)


@router.get("/{group_id}")
async def get_group(directory: Tenancy, group_id: GroupId) -> Response:
    """Get contact group, as the page's example shows it: without the members."""
    return answer(rows.group(await directory.look_up(store.get_group, group_id)))


@router.patch("/{group_id}")
async def update_group(directory: Tenancy, group_id: GroupId, body: GroupChanges) -> Response:
    """Update contact group: null clears the description."""
    changes = body.model_dump(exclude_unset=True)
    return answer(rows.group(await directory.write(store.update_group, group_id, changes)))


@router.delete("/{group_id}")
async def delete_group(directory: Tenancy, group_id: GroupId) -> Response:
    """Delete contact group: 204. Its contacts stay."""
    await directory.write(store.delete_group, group_id)
    return Response(status_code=204)


@router.get("/{group_id}/members")
async def list_members(directory: Tenancy, group_id: GroupId) -> Response:
    """List group members: `{"members": [row]}`, all of them, in the order they joined."""
    return answer({"members": [rows.member_row(row) for row in await directory.read(store.list_members, group_id)]})


@router.post("/{group_id}/members")
async def add_members(directory: Tenancy, group_id: GroupId, body: NewMembers) -> Response:
    """Add members to group: `{"added": n}`. Ids that are unknown, deleted or members already are not counted."""
    return answer({"added": await directory.write(store.add_members, group_id, body.contact_ids)})


@router.delete("/{group_id}/members/{contact_id}")
async def remove_member(directory: Tenancy, group_id: GroupId, contact_id: ContactId) -> Response:
    """Remove member from group: 204. The contact stays."""
    await directory.write(store.remove_member, group_id, contact_id)
    return Response(status_code=204)
