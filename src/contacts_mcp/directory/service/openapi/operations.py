"""The endpoints, in the order and the words of the API's page; `note` is what only this service has to say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contacts_mcp.directory.service.openapi.schemas import ID, TYPE, Schema

ADDITIONS = "Extensions"
_CONTACTS, _GROUPS = "Contacts", "Groups"

_FIELDS = ("id", "type", "name", "company_name", "phone_number", "email", "tags", "notes", "created_at", "updated_at")


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint. `body` and `answer` are names of schemas; without an answer it is a 204."""

    http: str
    name: str
    tag: str
    summary: str
    description: str
    note: str = ""
    parameters: tuple[Schema, ...] = ()
    body: str = ""
    status: int = 200
    answer: str = ""
    may_be_missing: bool = False
    replays: bool = False
    """Whether it takes an `Idempotency-Key`."""

    @property
    def method(self) -> str:
        """Such as `GET`."""
        return self.http.partition(" ")[0]

    @property
    def path(self) -> str:
        """Such as `/v1/contacts/{contact_id}`."""
        return self.http.partition(" ")[2]


def _in_path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": ID}


def _in_query(name: str, description: str, schema: Mapping[str, Any], *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": dict(schema)}


_CONTACT_ID, _GROUP_ID = _in_path("contact_id"), _in_path("group_id")
_FILTERS = (
    _in_query("type", "Only contacts of this type.", TYPE),
    _in_query(
        "search",
        "Words of name, company or e-mail address, in any order and spelling of accents, the last one as far as it was"
        " typed; or digits of the phone number.",
        {"type": "string", "maxLength": 255},
    ),
    _in_query(
        "tags",
        "Repeated: only contacts that have every one of these tags.",
        {"type": "array", "items": {"type": "string", "pattern": r"^[^\x00]*$"}, "maxItems": 50},
    ),
)
_ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of one's own: a repeat with the same key and body within 24 hours creates nothing, and is"
    " answered with what was created, as it is now.",
    "schema": {"type": "string", "pattern": r"^[!-~]{1,255}$"},
}

OPERATIONS = (
    Operation(
        "GET /v1/contacts",
        "list_contacts",
        _CONTACTS,
        "List contacts",
        "List all contacts with optional filtering by type, search query, or tags.",
        note="The newest come first. Where a search finds next to nothing, contacts follow that are spelt nearly so.",
        parameters=(
            *_FILTERS,
            _in_query("page", "", {"type": "integer", "minimum": 1, "maximum": 1_000_000_000, "default": 1}),
            _in_query("per_page", "", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
        ),
        answer="ContactPage",
    ),
    Operation(
        "POST /v1/contacts",
        "create_contact",
        _CONTACTS,
        "Create contact",
        "Create a new contact. Phone numbers should be in E.164 format for SMS sending.",
        parameters=(_ONCE,),
        body="NewContact",
        status=201,
        answer="Contact",
        replays=True,
    ),
    Operation(
        "GET /v1/contacts/{contact_id}",
        "get_contact",
        _CONTACTS,
        "Get contact",
        "Get details of a specific contact.",
        parameters=(_CONTACT_ID,),
        answer="Contact",
        may_be_missing=True,
    ),
    Operation(
        "PATCH /v1/contacts/{contact_id}",
        "update_contact",
        _CONTACTS,
        "Update contact",
        "Update an existing contact. Only provided fields are updated.",
        note="Null clears a field, and `tags` are replaced.",
        parameters=(_CONTACT_ID,),
        body="ContactChanges",
        answer="Contact",
        may_be_missing=True,
    ),
    Operation(
        "DELETE /v1/contacts/{contact_id}",
        "delete_contact",
        _CONTACTS,
        "Delete contact",
        "Delete a contact. This is a soft delete - the contact can be restored via GDPR endpoints.",
        note="The page names no such endpoint, and there is none here. What is deleted can still be erased.",
        parameters=(_CONTACT_ID,),
        status=204,
        may_be_missing=True,
    ),
    Operation(
        "POST /v1/contacts/{contact_id}/gdpr-delete",
        "gdpr_delete_contact",
        _CONTACTS,
        "GDPR anonymize contact",
        "Permanently anonymize contact data for GDPR compliance. This is irreversible.",
        note="A deleted contact can be erased as well. To repeat it is no error.",
        parameters=(_CONTACT_ID,),
        body="Erasure",
        answer="Erased",
        may_be_missing=True,
    ),
    Operation(
        "GET /v1/contacts/groups",
        "list_contact_groups",
        _GROUPS,
        "List contact groups",
        "List all contact groups with member counts.",
        answer="Groups",
    ),
    Operation(
        "POST /v1/contacts/groups",
        "create_contact_group",
        _GROUPS,
        "Create contact group",
        "Create a new contact group for organizing contacts.",
        parameters=(_ONCE,),
        body="NewGroup",
        status=201,
        answer="Group",
        replays=True,
    ),
    Operation(
        "GET /v1/contacts/groups/{group_id}",
        "get_contact_group",
        _GROUPS,
        "Get contact group",
        "Get details of a specific contact group including member list.",
        note="As the page's own example has it, the members are not shown here: ask for them by List group members.",
        parameters=(_GROUP_ID,),
        answer="Group",
        may_be_missing=True,
    ),
    Operation(
        "PATCH /v1/contacts/groups/{group_id}",
        "update_contact_group",
        _GROUPS,
        "Update contact group",
        "Update group name or description.",
        note="Only provided fields are updated; null clears the description.",
        parameters=(_GROUP_ID,),
        body="GroupChanges",
        answer="Group",
        may_be_missing=True,
    ),
    Operation(
        "DELETE /v1/contacts/groups/{group_id}",
        "delete_contact_group",
        _GROUPS,
        "Delete contact group",
        "Delete a contact group. Contacts in the group are not deleted.",
        parameters=(_GROUP_ID,),
        status=204,
        may_be_missing=True,
    ),
    Operation(
        "GET /v1/contacts/groups/{group_id}/members",
        "list_group_members",
        _GROUPS,
        "List group members",
        "List all contacts in a group.",
        parameters=(_GROUP_ID,),
        answer="Members",
        may_be_missing=True,
    ),
    Operation(
        "POST /v1/contacts/groups/{group_id}/members",
        "add_group_members",
        _GROUPS,
        "Add members to group",
        "Add one or more contacts to a group.",
        note="Ids that are unknown, deleted or members already are not counted, and do no harm.",
        parameters=(_GROUP_ID,),
        body="NewMembers",
        answer="Added",
        may_be_missing=True,
    ),
    Operation(
        "DELETE /v1/contacts/groups/{group_id}/members/{contact_id}",
        "remove_group_member",
        _GROUPS,
        "Remove member from group",
        "Remove a contact from a group.",
        parameters=(_GROUP_ID, _CONTACT_ID),
        status=204,
        may_be_missing=True,
    ),
    Operation(
        "GET /v1/directory",
        "describe_additions",
        ADDITIONS,
        "List extensions",
        "Say which extensions to the Contacts API there are.",
        answer="Extensions",
    ),
    Operation(
        "GET /v1/directory/contacts",
        "scan_contacts",
        ADDITIONS,
        "Scan contacts",
        "Read the chosen fields of many contacts at once, in the order of their creation.",
        note="A page may be shorter than was asked for: only a null `next` is the end.",
        parameters=(
            _in_query(
                "fields",
                "Repeated: what to read of each contact.",
                {"type": "array", "items": {"type": "string", "enum": list(_FIELDS)}, "minItems": 1},
                required=True,
            ),
            _in_query("limit", "", {"type": "integer", "minimum": 1, "maximum": 5_000, "default": 5_000}),
            _in_query(
                "after",
                "The `next` of the page before.",
                {"type": "integer", "minimum": 0, "maximum": 2**62, "default": 0},
            ),
            *_FILTERS,
            _in_query("group_id", "Only members of this group.", ID),
        ),
        answer="Scan",
        may_be_missing=True,
    ),
    Operation(
        "POST /v1/directory/contacts",
        "write_contacts",
        ADDITIONS,
        "Write contacts",
        "Create and update contacts in one transaction, but for those that are refused.",
        body="Batch",
        answer="Results",
    ),
)
