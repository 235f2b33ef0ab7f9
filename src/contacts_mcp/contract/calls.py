"""The endpoints of the Contacts API, one class each, in the order of the API documentation.

A docstring is the tool's description: when an agent should use it, and when another tool. Field descriptions are part
of the tool's schema. Agents read both in every conversation, so each word costs tokens.
"""

from typing import Annotated, Any

from pydantic import Field

from contacts_mcp.contract._call import Call, Change, ContactId, GroupId, Neutral, Risk, SearchText, Tags, Text
from contacts_mcp.contract.models import Added, Contact, ContactPage, ContactType, Group, GroupList, MemberList

__all__ = [
    "CALLS",
    "AddGroupMembers",
    "CreateContact",
    "CreateContactGroup",
    "DeleteContact",
    "DeleteContactGroup",
    "GdprDeleteContact",
    "GetContact",
    "GetContactGroup",
    "ListContactGroups",
    "ListContacts",
    "ListGroupMembers",
    "NewType",
    "RemoveGroupMember",
    "TypeFilter",
    "UpdateContact",
    "UpdateContactGroup",
]

TypeFilter = Annotated[ContactType | None, Neutral("any")]
NewType = Annotated[ContactType | None, Neutral("unchanged")]


class ListContacts(Call[ContactPage]):
    """List or search contacts, newest first. Rows omit notes, company and times: get_contact has these."""

    route = "GET /v1/contacts"
    risk = Risk.READ
    idempotent = True
    type: TypeFilter = None
    search: SearchText | None = Field(default=None, description="Words of a name or company, digits or an e-mail.")
    tags: Tags | None = Field(default=None, description="All must match.")
    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=50, ge=1, le=100)


class CreateContact(Call[Contact]):
    """Create a contact. Search first if it may already exist; to change one, use update_contact."""

    route = "POST /v1/contacts"
    risk = Risk.WRITE
    idempotent = False
    changes = Change.NOTHING  # it is in no group, and no client knows its id
    type: ContactType = "person"
    name: Text
    company_name: Text | None = None
    phone_number: Text | None = Field(default=None, description="E.164, e.g. +4799999999.")
    email: Text | None = None
    tags: Tags | None = None
    notes: Text | None = None


class GetContact(Call[Contact]):
    """Read all fields of one contact, including notes."""

    route = "GET /v1/contacts/{contact_id}"
    risk = Risk.READ
    idempotent = True
    contact_id: ContactId


class UpdateContact(Call[Contact]):
    """Change fields of a contact; omitted fields stay unchanged."""

    route = "PATCH /v1/contacts/{contact_id}"
    risk = Risk.WRITE
    idempotent = True
    changes = Change.CONTACT | Change.ALL_MEMBERS  # groups show the fields of their members
    contact_id: ContactId
    type: NewType = None
    name: Text | None = None
    company_name: Text | None = None
    phone_number: Text | None = Field(default=None, description="E.164, e.g. +4799999999.")
    email: Text | None = None
    tags: Tags | None = None
    notes: Text | None = None


class DeleteContact(Call[None]):
    """Delete a contact: it is removed from all groups, its data is kept. To erase the data, use gdpr_delete_contact."""

    route = "DELETE /v1/contacts/{contact_id}"
    risk = Risk.DESTROY
    idempotent = True
    changes = Change.CONTACT | Change.ALL_GROUPS | Change.ALL_MEMBERS
    contact_id: ContactId


class GdprDeleteContact(Call[None]):
    """Erase a contact's personal data permanently (GDPR article 17). To only remove a contact, use delete_contact."""

    route = "POST /v1/contacts/{contact_id}/gdpr-delete"
    risk = Risk.ERASE
    idempotent = False
    changes = Change.CONTACT | Change.ALL_GROUPS | Change.ALL_MEMBERS
    contact_id: ContactId
    reason: Text = Field(description="The reason, without personal data; it is kept.")


class ListContactGroups(Call[GroupList]):
    """List all groups with ids and member counts."""

    route = "GET /v1/contacts/groups"
    risk = Risk.READ
    idempotent = True


class CreateContactGroup(Call[Group]):
    """Create an empty group, e.g. an SMS audience; fill it with add_group_members."""

    route = "POST /v1/contacts/groups"
    risk = Risk.WRITE
    idempotent = False
    changes = Change.GROUP_LIST
    name: Text
    description: Text | None = None


class GetContactGroup(Call[Group]):
    """Read one group; list_group_members lists its contacts."""

    route = "GET /v1/contacts/groups/{group_id}"
    risk = Risk.READ
    idempotent = True
    group_id: GroupId


class UpdateContactGroup(Call[Group]):
    """Rename a group or change its description."""

    route = "PATCH /v1/contacts/groups/{group_id}"
    risk = Risk.WRITE
    idempotent = True
    changes = Change.GROUP | Change.GROUP_LIST
    group_id: GroupId
    name: Text | None = None
    description: Text | None = None


class DeleteContactGroup(Call[None]):
    """Delete a group, but not its contacts."""

    route = "DELETE /v1/contacts/groups/{group_id}"
    risk = Risk.DESTROY
    idempotent = True
    changes = Change.GROUP | Change.MEMBERS | Change.GROUP_LIST
    group_id: GroupId


class ListGroupMembers(Call[MemberList]):
    """List the contacts in a group."""

    route = "GET /v1/contacts/groups/{group_id}/members"
    risk = Risk.READ
    idempotent = True
    group_id: GroupId


class AddGroupMembers(Call[Added]):
    """Add contacts to a group; existing members stay. For a new group, use create_contact_group first."""

    route = "POST /v1/contacts/groups/{group_id}/members"
    risk = Risk.WRITE
    idempotent = True
    changes = Change.GROUP | Change.MEMBERS
    group_id: GroupId
    contact_ids: list[ContactId] = Field(min_length=1, max_length=1000)


class RemoveGroupMember(Call[None]):
    """Remove one contact from a group, but keep the contact."""

    route = "DELETE /v1/contacts/groups/{group_id}/members/{contact_id}"
    risk = Risk.WRITE
    idempotent = True
    changes = Change.GROUP | Change.MEMBERS
    group_id: GroupId
    contact_id: ContactId


CALLS: tuple[type[Call[Any]], ...] = tuple(
    value
    for value in tuple(globals().values())
    if isinstance(value, type) and issubclass(value, Call) and hasattr(value, "route")
)
"""Every documented endpoint: each call of this module, in order."""
