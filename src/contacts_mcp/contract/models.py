"""The records of the Contacts API, with the same field names in every answer.

In the API documentation, single contacts have `name` and `type`, but rows of lists have `first_name`, `last_name` and
`contact_type`. Both shapes are read as `name` and `type`. Unknown fields are ignored. An absent field stays unset,
which differs from null.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

ContactType = Literal["person", "company"]


def _utc(time: datetime) -> str:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(_utc, when_used="json")]
"""A time; read with `Z`, an offset or neither (which means UTC), written in UTC with seconds and `Z`."""

Tags = Annotated[list[str], BeforeValidator(lambda tags: [] if tags is None else tags)]


class Record(BaseModel):
    """Base class of the service's answers."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")


class Contact(Record):
    """A person or company (API page: Get contact). Rows of lists have fewer fields."""

    id: str
    type: str | None = None
    name: str | None = None
    company_name: str | None = None
    phone_number: str | None = None
    email: str | None = None
    tags: Tags = Field(default_factory=list)
    notes: str | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_list_row(cls, data: Any) -> Any:
        """Rename the fields of a list row to `name` and `type`."""
        if not isinstance(data, Mapping):
            return data
        row = dict(data)
        if "contact_type" in row:
            row.setdefault("type", row["contact_type"])
        if "name" not in row and ("first_name" in row or "last_name" in row):
            parts = (row.get("first_name"), row.get("last_name"))
            row["name"] = " ".join(part for part in parts if isinstance(part, str) and part) or None
        return row


class ContactPage(Record):
    """One page of contacts (API page: List contacts).

    `similar` is an extension of the embedded directory: how many of `total` only match by a similar spelling.
    """

    contacts: list[Contact]
    total: int | None = None
    page: int | None = None
    per_page: int | None = None
    similar: int | None = None


class Group(Record):
    """A contact group (API page: Get contact group). `members` is only set if the service includes them.

    `previous_name` and `renamed_at` are an extension of the embedded directory: the last change of the name, if any.
    """

    id: str
    name: str | None = None
    description: str | None = None
    member_count: int | None = None
    created_at: Timestamp | None = None
    previous_name: str | None = None
    renamed_at: Timestamp | None = None
    members: list[Contact] | None = None


class GroupList(Record):
    """All groups (API page: List contact groups)."""

    groups: list[Group]


class MemberList(Record):
    """All members of a group, unpaged (API page: List group members)."""

    members: list[Contact]


class Added(Record):
    """How many contacts were added to a group (API page: Add members to group)."""

    added: int | None = Field(default=None, description="Number of contacts added; absent if unknown.")
