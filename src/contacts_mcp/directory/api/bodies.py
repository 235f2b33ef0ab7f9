"""What a request may say: its fields, their limits, and how they are tidied before they are stored.

White space around a value is dropped; an optional text that is blank is the same as null. Unknown fields are
ignored. No message repeats what was sent.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from contacts_mcp.mail import is_email

ContactType = Literal["person", "company"]

MAX_BATCH_SIZE = 1_000
"""Contacts that one batch creates at most, and as many that it updates."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _uuid(value: str) -> str:
    if not _UUID.fullmatch(value):
        raise PydanticCustomError("uuid", "must be an id such as a1b2c3d4-5678-9abc-def0-123456789abc")
    return value.lower()


def _storable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("string_unicode", "must be text without halves of characters") from None
    if "\0" in value:
        raise PydanticCustomError("string_nul", "must not contain the NUL character")
    return value


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _required(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be empty")
    return value


def _blank_is_null(value: str | None) -> str | None:
    return value.strip() or None if value is not None else None


def _email(value: str | None) -> str | None:
    if value is not None and not is_email(value):
        raise PydanticCustomError("email", "must be a valid e-mail address")
    return value


def _distinct(tags: list[str] | None) -> list[str]:
    """Drop tags that repeat an earlier one but for case. Null means none."""
    kept: dict[str, str] = {}
    for tag in tags or []:
        kept.setdefault(tag.casefold(), tag)
    return list(kept.values())


def _at_most(limit: int) -> AfterValidator:
    """Limit the characters that remain after tidying."""

    def check(value: str | None) -> str | None:
        if value is not None and len(value) > limit:
            raise PydanticCustomError("string_too_long", "must have at most {limit} characters", {"limit": limit})
        return value

    return AfterValidator(check)


Storable = Annotated[str, AfterValidator(_storable)]
_Line = Annotated[Storable, AfterValidator(_one_line)]
_Optional = AfterValidator(_blank_is_null)

RecordId = Annotated[str, AfterValidator(_uuid)]
Name = Annotated[_Line, AfterValidator(_required), _at_most(255)]
Tag = Annotated[_Line, AfterValidator(_required), _at_most(64)]
Tags = Annotated[Annotated[list[Tag], Field(max_length=50)] | None, AfterValidator(_distinct)]
Company = Annotated[_Line, _Optional, _at_most(255)] | None
Phone = Annotated[Storable, _Optional, _at_most(64)] | None
Email = Annotated[Storable, _Optional, _at_most(320), AfterValidator(_email)] | None
Notes = Annotated[Storable, _Optional, _at_most(10_000)] | None
Description = Annotated[Storable, _Optional, _at_most(1000)] | None


class _ContactFields(BaseModel):
    company_name: Company = None
    phone_number: Phone = None  # 'E.164 format recommended': any other is kept as given
    email: Email = None
    tags: Tags = Field(default_factory=list)
    notes: Notes = None


class NewContact(_ContactFields):
    """Body of POST /v1/contacts (API page: Create contact). The page names no default type; most are persons."""

    type: ContactType = "person"
    name: Name


class ContactChanges(_ContactFields):
    """Body of PATCH /v1/contacts/{contact_id} (API page: Update contact): 'only provided fields are updated'.

    The page also marks `name` as required, which would contradict that. The defaults below are therefore never used,
    and null is refused where they stand.
    """

    type: ContactType = "person"
    name: Name = ""


class IdentifiedChanges(ContactChanges):
    """One update of a batch."""

    id: RecordId


class Batch(BaseModel):
    """Body of POST /v1/directory/contacts: each item is checked by itself, so that one is refused and not all."""

    creates: list[Any] = Field(default_factory=list, max_length=MAX_BATCH_SIZE)
    updates: list[Any] = Field(default_factory=list, max_length=MAX_BATCH_SIZE)

    @model_validator(mode="after")
    def _needed(self) -> Self:
        if not (self.creates or self.updates):
            raise PydanticCustomError("empty", "must create or update a contact")
        return self


class Erasure(BaseModel):
    """Body of POST /v1/contacts/{contact_id}/gdpr-delete (API page: GDPR anonymize contact)."""

    reason: Annotated[_Line, AfterValidator(_required), _at_most(1000)]


class NewGroup(BaseModel):
    """Body of POST /v1/contacts/groups (API page: Create contact group)."""

    name: Name
    description: Description = None


class GroupChanges(BaseModel):
    """Body of PATCH /v1/contacts/groups/{group_id} (API page: Update contact group), read as ContactChanges is."""

    name: Name = ""
    description: Description = None


class NewMembers(BaseModel):
    """Body of POST /v1/contacts/groups/{group_id}/members (API page: Add members to group)."""

    contact_ids: Annotated[list[RecordId], Field(min_length=1, max_length=1000)]
