"""The records of the Contacts API, in one shape for the caller.

The API's page writes single contacts with `name` and `type`, but list and member rows with `first_name`,
`last_name` and `contact_type`. Both are read; `name` and `type` are written. Unknown fields are ignored, and a
field that was absent stays unset, which is not the same as null.
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
"""A moment; read with `Z`, an offset or neither (then UTC), written to the second with `Z`, as on the API's page."""

Tags = Annotated[list[str], BeforeValidator(lambda tags: [] if tags is None else tags)]


class Record(BaseModel):
    """Something the service answered."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")


class Contact(Record):
    """A person or company (API page: Get contact). A row of a list simply has fewer fields set."""

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
    def _join_split_row(cls, data: Any) -> Any:
        """Read a list or member row, whose name and type are written differently."""
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

    `similar` is an extension of the embedded directory: how many of `total` are only spelt nearly as was asked.
    """

    contacts: list[Contact]
    total: int | None = None
    page: int | None = None
    per_page: int | None = None
    similar: int | None = None


class Group(Record):
    """A contact group (API page: Get contact group). `members` only where the service includes them."""

    id: str
    name: str | None = None
    description: str | None = None
    member_count: int | None = None
    created_at: Timestamp | None = None
    members: list[Contact] | None = None


class GroupList(Record):
    """All groups (API page: List contact groups)."""

    groups: list[Group]


class MemberList(Record):
    """All members of a group, unpaged (API page: List group members)."""

    members: list[Contact]


class Added(Record):
    """How many contacts joined the group (API page: Add members to group); the service's count is advisory."""

    added: int | None = Field(default=None, description="How many joined; absent where that is not known.")
