"""What requests and answers look like, in JSON Schema: exactly what `api.bodies` takes and `api.rows` shows.

Lengths count what is left when white space is tidied, which `maxLength` cannot say: so patterns do. White space is what
Python takes for it, spelt out, since engines differ.
"""

from collections.abc import Mapping
from typing import Any

from contacts_mcp.directory.api.bodies import MAX_BATCH_SIZE
from contacts_mcp.directory.service.openapi import examples

Schema = dict[str, Any]

_SPACE = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_ID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_LABEL = "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,30}"
_RESERVED = "arpa|invalid|local|localhost|onion|test|example|alt|internal"
_ADDRESS = (
    rf"(?=[^@]{{1,64}}@)(?=[!-~]{{1,254}}[{_SPACE}]*$)(?![!-~]*\.(?:{_RESERVED})[{_SPACE}]*$)"
    rf"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}"
)


def line(least: int, most: int) -> str:
    """The pattern of a text whose white space is tidied to single spaces, and has this length then."""
    return rf"^[{_SPACE}]*(?:[^\x00{_SPACE}]|[{_SPACE}]+(?=[^\x00{_SPACE}])){{{least},{most}}}[{_SPACE}]*$"


def lines(most: int) -> str:
    """The pattern of a text that may have many lines, without the white space around it."""
    return rf"^[{_SPACE}]*[^\x00]{{0,{most}}}[{_SPACE}]*$"


ID: Schema = {"type": "string", "pattern": f"^{_ID}$", "examples": [examples.CONTACT["id"]]}
"""An id as it may be sent: case does not matter."""
TAG = {"type": "string", "pattern": line(1, 64)}
TYPE = {"type": "string", "enum": ["person", "company"]}

_NAME = {"type": "string", "pattern": line(1, 255), "description": "1 to 255 characters."}
_OPTIONAL = ["string", "null"]
_ADDRESS_OR_BLANK = rf"^[{_SPACE}]*(?:{_ADDRESS})?[{_SPACE}]*$"
_CONTACT_FIELDS: dict[str, Schema] = {
    "type": TYPE,
    "name": _NAME,
    "company_name": {"type": _OPTIONAL, "pattern": line(0, 255), "description": "Up to 255 characters."},
    "phone_number": {
        "type": _OPTIONAL,
        "pattern": lines(64),
        "description": "E.164 format recommended; any other is kept as it is given, up to 64 characters.",
    },
    "email": {
        "type": _OPTIONAL,
        "pattern": _ADDRESS_OR_BLANK,
        "description": "An e-mail address. The pattern is that of plain ones; international ones are taken as well.",
    },
    "tags": {
        "type": ["array", "null"],
        "items": TAG,
        "maxItems": 50,
        "description": "Up to 50 tags of 1 to 64 characters; those that differ in case alone are one.",
    },
    "notes": {"type": _OPTIONAL, "pattern": lines(10_000), "description": "Up to 10,000 characters."},
}
_GROUP_FIELDS: dict[str, Schema] = {
    "name": _NAME,
    "description": {"type": _OPTIONAL, "pattern": lines(1_000), "description": "Up to 1,000 characters."},
}
_DEFAULT_TYPE = {**TYPE, "default": "person"}


def _sent(properties: Mapping[str, Schema], example: Any, *required: str, **more: Any) -> Schema:
    shape = {"type": "object", "properties": dict(properties), **more}
    return {**shape, **({"required": list(required)} if required else {}), "examples": [example]}


REQUESTS: dict[str, Schema] = {
    "NewContact": _sent({**_CONTACT_FIELDS, "type": _DEFAULT_TYPE}, examples.NEW_CONTACT, "name"),
    "ContactChanges": _sent(_CONTACT_FIELDS, examples.NEW_CONTACT),
    "Erasure": _sent(
        {
            "reason": {
                "type": "string",
                "pattern": line(1, 1_000),
                "description": "Reason for GDPR deletion, 1 to 1,000 characters. It is kept: name nobody in it.",
            }
        },
        examples.ERASURE,
        "reason",
    ),
    "NewGroup": _sent(_GROUP_FIELDS, examples.NEW_GROUP, "name"),
    "GroupChanges": _sent(_GROUP_FIELDS, examples.NEW_GROUP),
    "NewMembers": _sent(
        {"contact_ids": {"type": "array", "items": ID, "minItems": 1, "maxItems": 1_000}},
        examples.NEW_MEMBERS,
        "contact_ids",
    ),
    "Batch": _sent(
        {
            "creates": {
                "type": "array",
                "items": True,
                "maxItems": MAX_BATCH_SIZE,
                "description": "What POST /v1/contacts takes, each.",
            },
            "updates": {
                "type": "array",
                "items": True,
                "maxItems": MAX_BATCH_SIZE,
                "description": "What PATCH /v1/contacts/{contact_id} takes, each with its `id`.",
            },
        },
        examples.BATCH,
        description="Up to 1,000 of each, and one at least. One that is refused has its reason among the results.",
        anyOf=[
            {"properties": {"creates": {"minItems": 1}}, "required": ["creates"]},
            {"properties": {"updates": {"minItems": 1}}, "required": ["updates"]},
        ],
    ),
}


def _shown(properties: Mapping[str, Schema], example: Any = None, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    shape = {"type": "object", "properties": dict(properties), "required": required}
    return shape if example is None else {**shape, "examples": [example]}


def _list(of: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}}


_TEXT, _OPTIONAL_TEXT, _COUNT = {"type": "string"}, {"type": _OPTIONAL}, {"type": "integer", "minimum": 0}
_MADE_ID = {"type": "string", "format": "uuid"}
_TIME = {"type": "string", "format": "date-time"}
_TAGS = {"type": "array", "items": _TEXT}

ANSWERS: dict[str, Schema] = {
    "Contact": _shown(
        {
            "id": _MADE_ID,
            "type": TYPE,
            "name": _TEXT,
            "company_name": _OPTIONAL_TEXT,
            "phone_number": _OPTIONAL_TEXT,
            "email": _OPTIONAL_TEXT,
            "tags": _TAGS,
            "notes": _OPTIONAL_TEXT,
            "created_at": _TIME,
            "updated_at": _TIME,
        },
        examples.CONTACT,
    ),
    "ContactRow": _shown(
        {
            "id": _MADE_ID,
            "first_name": _TEXT,
            "last_name": _OPTIONAL_TEXT,
            "email": _OPTIONAL_TEXT,
            "phone_number": _OPTIONAL_TEXT,
            "contact_type": TYPE,
            "tags": _TAGS,
        }
    ),
    "ContactPage": _shown(
        {
            "contacts": _list("ContactRow"),
            "total": _COUNT,
            "page": {"type": "integer", "minimum": 1},
            "per_page": {"type": "integer", "minimum": 1, "maximum": 100},
            "similar": {**_COUNT, "description": "How many of all are only spelt nearly as was asked. An extension."},
        },
        examples.CONTACT_PAGE,
        ("similar",),
    ),
    "Erased": _shown({"ok": {"type": "boolean"}}, {"ok": True}),
    "Group": _shown(
        {"id": _MADE_ID, "name": _TEXT, "description": _OPTIONAL_TEXT, "member_count": _COUNT, "created_at": _TIME},
        examples.GROUP,
    ),
    "GroupRow": _shown({"id": _MADE_ID, "name": _TEXT, "member_count": _COUNT, "created_at": _TIME}),
    "Groups": _shown({"groups": _list("GroupRow")}, examples.GROUPS),
    "Member": _shown(
        {"id": _MADE_ID, "first_name": _TEXT, "last_name": _OPTIONAL_TEXT, "phone_number": _OPTIONAL_TEXT}
    ),
    "Members": _shown({"members": _list("Member")}, examples.MEMBERS),
    "Added": _shown({"added": _COUNT}, examples.ADDED),
    "Extensions": _shown({"extensions": {"type": "array", "items": _TEXT}}, examples.ADDITIONS),
    "Scan": _shown(
        {
            "fields": {"type": "array", "items": _TEXT},
            "rows": {"type": "array", "items": {"type": "array"}, "description": "Values in the order of `fields`."},
            "next": {"type": _OPTIONAL, "description": "What `after` takes for the next page; null at the end."},
        },
        examples.SCAN,
    ),
    "Results": _shown(
        {
            "results": {
                "type": "array",
                "items": _shown(
                    {"status": {"type": "integer", "enum": [200, 201, 404, 422]}, "id": _MADE_ID, "detail": _TEXT},
                    optional=("id", "detail"),
                ),
            }
        },
        examples.RESULTS,
    ),
    "Error": _shown({"detail": _TEXT}),
    "Faults": _shown(
        {
            "detail": {
                "type": "array",
                "minItems": 1,
                "items": _shown(
                    {"loc": {"type": "array", "items": {"type": ["string", "integer"]}}, "msg": _TEXT, "type": _TEXT}
                ),
            }
        },
        examples.FAULTS,
    ),
}
