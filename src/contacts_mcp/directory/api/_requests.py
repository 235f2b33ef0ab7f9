r"""Validate requests: the tenant, the parameters that several routes share, and bodies; all values are normalized.

White space around a value is removed; an optional text that is blank counts as null. Unknown fields are ignored. No
message repeats what was sent.

The patterns are for the OpenAPI document: they accept exactly what the validators accept. They count characters after
white space is normalized, which `maxLength` cannot do, and they spell out the white space of Python's `str.split`,
because `\s` means something else in other engines.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, LiteralString, Self

from fastapi import Depends, Header, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError
from starlette.convertors import StringConvertor, register_url_convertor

from contacts_mcp.directory.database import OWNER, Database
from contacts_mcp.directory.store import UndoOffer
from contacts_mcp.mail import is_email

MAX_BATCH_SIZE = 1_000
"""Most contacts that one batch can create, and most that it can update."""

TENANT_SCOPE_KEY = "contacts_mcp.directory.tenant"
"""ASGI scope key of the Tenant that a caller's API key belongs to."""

ContactType = Literal["person", "company"]

_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SPACE = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_LABEL = "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,30}"
_RESERVED = "arpa|invalid|local|localhost|onion|test|example|alt|internal"
_ADDRESS = (
    rf"(?=[^@]{{1,64}}@)(?=[!-~]{{1,254}}[{_SPACE}]*$)(?![!-~]*\.(?:{_RESERVED})[{_SPACE}]*$)"
    rf"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}"
)


def _pattern(pattern: str, **schema: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", **schema})


def _line(min_length: int, max_length: int) -> WithJsonSchema:
    """Describe a text of this length on one line, after its white space is reduced to single spaces."""
    character = rf"(?:[^\x00{_SPACE}]|[{_SPACE}]+(?=[^\x00{_SPACE}]))"
    return _pattern(rf"[{_SPACE}]*{character}{{{min_length},{max_length}}}[{_SPACE}]*")


def _text(max_length: int) -> WithJsonSchema:
    """Describe a text that may have several lines, without the white space around it."""
    return _pattern(rf"[{_SPACE}]*[^\x00]{{0,{max_length}}}[{_SPACE}]*")


def _require(
    is_valid: Callable[[str], object], code: LiteralString, message: LiteralString, **values: Any
) -> AfterValidator:
    """Refuse a text that is not valid with an error of this code; `values` are filled into the message."""

    def check(value: str | None) -> str | None:
        if value is not None and not is_valid(value):
            raise PydanticCustomError(code, message, values)
        return value

    return AfterValidator(check)


def _max_length(limit: int) -> AfterValidator:
    """Limit the characters that remain after normalization."""
    message: LiteralString = "must have at most {limit} characters"
    return _require(lambda value: len(value) <= limit, "string_too_long", message, limit=limit)


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _collapse_spaces(value: str) -> str:
    return " ".join(value.split())


def _blank_to_none(value: str) -> str | None:
    return value.strip() or None


def _drop_repeated(tags: list[str] | None) -> list[str]:
    """Drop tags that differ from an earlier one only in case. Null means none."""
    kept: dict[str, str] = {}
    for tag in tags or []:
        kept.setdefault(tag.casefold(), tag)
    return list(kept.values())


_Uuid = _require(re.compile(_UUID).fullmatch, "uuid", "must be an id such as a1b2c3d4-5678-9abc-def0-123456789abc")
_Unicode = _require(_is_encodable, "string_unicode", "must be text without halves of characters")
_NoNul = _require(lambda value: "\0" not in value, "string_nul", "must not contain the NUL character")
_Required = _require(str.strip, "blank", "must not be empty")
_Optional = AfterValidator(_blank_to_none)
_Email = _require(is_email, "email", "must be a valid e-mail address")

Encodable = Annotated[str, _Unicode, _NoNul, _pattern(r"[^\x00]*")]
_Line = Annotated[Encodable, AfterValidator(_collapse_spaces)]

RecordId = Annotated[
    str, _Uuid, AfterValidator(str.lower), _pattern(_UUID, examples=["f47ac10b-58cc-4372-a567-0e02b2c3d479"])
]
Name = Annotated[_Line, _Required, _max_length(255), _line(1, 255), Field(description="1 to 255 characters.")]
Tag = Annotated[_Line, _Required, _max_length(64), _line(1, 64)]
Tags = Annotated[
    Annotated[list[Tag], Field(max_length=50)] | None,
    AfterValidator(_drop_repeated),
    Field(description="Up to 50 tags of 1 to 64 characters; tags that differ only in case count as one."),
]
Company = Annotated[
    Annotated[_Line, _Optional, _max_length(255), _line(0, 255)] | None, Field(description="Up to 255 characters.")
]
Phone = Annotated[
    Annotated[Encodable, _Optional, _max_length(64), _text(64)] | None,
    Field(description="E.164 format recommended; any other format is kept as given, up to 64 characters."),
]
_EmailText = Annotated[
    Encodable, _Optional, _max_length(320), _Email, _pattern(rf"[{_SPACE}]*(?:{_ADDRESS})?[{_SPACE}]*")
]
Email = Annotated[
    _EmailText | None,
    Field(description="An e-mail address. The pattern covers plain ones; international addresses are valid as well."),
]
Notes = Annotated[
    Annotated[Encodable, _Optional, _max_length(10_000), _text(10_000)] | None,
    Field(description="Up to 10,000 characters."),
]
Description = Annotated[
    Annotated[Encodable, _Optional, _max_length(1_000), _text(1_000)] | None,
    Field(description="Up to 1,000 characters."),
]
Reason = Annotated[
    _Line,
    _Required,
    _max_length(1_000),
    _line(1, 1_000),
    Field(description="Reason for GDPR deletion, 1 to 1,000 characters. It is kept, so it must not name the person."),
]


def _drop_defaults(schema: dict[str, Any]) -> None:
    """Remove the default values from the schema of a body of which only the provided fields count."""
    for field in schema["properties"].values():
        field.pop("default", None)


class _ContactFields(BaseModel):
    type: ContactType = "person"  # the API documentation names no default
    name: Name = ""
    company_name: Company = None
    phone_number: Phone = None
    email: Email = None
    tags: Tags = Field(default_factory=list)
    notes: Notes = None


class NewContact(_ContactFields):
    """A contact to create."""

    name: Name  # pyright: ignore[reportGeneralTypeIssues] - required here, in the same place


class ContactChanges(_ContactFields):
    """The fields of a contact to change. Null clears a field, and `tags` are replaced."""

    # The API documentation marks `name` as required but says 'only provided fields are updated', which is followed.
    # The defaults of `type` and `name` are never used: null is refused for both.

    model_config = ConfigDict(json_schema_extra=_drop_defaults)


class IdentifiedChanges(ContactChanges):
    """One update of a batch."""

    id: RecordId


UndoReceipt = Annotated[
    RecordId | None,
    Field(
        description="A random UUID, by which the updates can be undone for a day if the extension `undo` is offered."
        " All batches of one job have the same. It is a secret, and each contact can be changed once under it."
    ),
]


class Batch(BaseModel):
    """Contacts to create and to update, up to 1,000 of each and at least one.

    Each item is validated by itself: an invalid item does not stop the others, and its result gives the reason.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"properties": {field: {"minItems": 1}}, "required": [field]} for field in ("creates", "updates")]
        }
    )

    creates: list[Any] = Field(
        default_factory=list, max_length=MAX_BATCH_SIZE, description="Bodies of POST /v1/contacts."
    )
    updates: list[Any] = Field(
        default_factory=list,
        max_length=MAX_BATCH_SIZE,
        description="Bodies of PATCH /v1/contacts/{contact_id}, each with its `id`.",
    )
    undo: UndoReceipt = None

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if not (self.creates or self.updates):
            raise PydanticCustomError("empty", "must create or update a contact")
        return self


class Erasure(BaseModel):
    """Why a contact is erased."""

    reason: Reason


class PersonErasure(Erasure):
    """Why a contact is erased, and which others are erased with it."""

    also_erase: Annotated[list[RecordId], Field(max_length=1_000)] = Field(default_factory=list)


class Merge(BaseModel):
    """Contacts to merge into another."""

    merge_ids: Annotated[list[RecordId], Field(min_length=1, max_length=1_000)]


class NewGroup(BaseModel):
    """A group to create."""

    name: Name
    description: Description = None


class GroupChanges(BaseModel):
    """The fields of a group to change. Null clears the description."""

    model_config = ConfigDict(json_schema_extra=_drop_defaults)

    name: Name = ""
    description: Description = None


class NewMembers(BaseModel):
    """Contacts to add to a group."""

    contact_ids: Annotated[list[RecordId], Field(min_length=1, max_length=1_000)]


@dataclass(frozen=True, slots=True)
class Tenant:
    """The records that a caller can see: those of one tenant in a database."""

    database: Database
    id: int = OWNER
    actor: str = "embedded"
    """Who the caller is, as receipts of erasures name them."""
    scopes: tuple[str, ...] | None = None
    """What the caller's API key allows; None if there are no keys."""
    name: str = ""
    """The tenant's name, if the caller has an API key."""


async def current_tenant(request: Request) -> Tenant:  # async, or FastAPI would call it in a thread
    """Return the only tenant of an embedded directory, or the one that a middleware has put into the scope."""
    return request.app.state.tenant or request.scope[TENANT_SCOPE_KEY]  # type: ignore[no-any-return]


async def current_undo(request: Request) -> UndoOffer | None:
    """Return how updates can be undone; None if they cannot."""
    return request.app.state.undo  # type: ignore[no-any-return]


CurrentUndo = Annotated[UndoOffer | None, Depends(current_undo)]
"""How updates can be undone; None if they cannot."""
CurrentTenant = Annotated[Tenant, Depends(current_tenant)]
ContactId = Annotated[RecordId, Path()]
GroupId = Annotated[RecordId, Path()]
TypeFilter = Annotated[ContactType | None, Query(description="Only contacts of this type.")]
SearchFilter = Annotated[
    str,
    Query(
        max_length=255,
        description="Words of name, company or e-mail address in any order; accents do not matter, and the last word"
        " may be unfinished. Or digits of the phone number.",
    ),
]
TagsFilter = Annotated[
    list[Encodable] | None,
    Query(max_length=50, description="Only contacts that have this tag. Repeat the parameter for several tags."),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="A text that the caller chooses. Another request with the same key and body within 24 hours creates"
        " nothing and returns the record that was created, as it is now.",
    ),
]


class _ContactIdConvertor(StringConvertor):
    """A path segment that is not `groups`, which has routes of its own."""

    regex = "(?!groups(?:/|$))[^/]+"


register_url_convertor("contact", _ContactIdConvertor())
