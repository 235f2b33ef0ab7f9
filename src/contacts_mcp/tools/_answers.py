"""What tools answer where it is more than the service's record."""

from pydantic import Field

from contacts_mcp.contract import Contact, ContactPage, Group, Record


class Done(Record):
    """A change without a record to show."""

    done: bool


class Erased(Record):
    """What was seen on reading the contact back after its erasure."""

    erased: bool
    seen: str
    left: list[str] | None = None


class SavedContact(Contact):
    """A contact as it is now, and what the caller should know."""

    warnings: list[str] | None = None


class ChangedContact(SavedContact):
    """A contact after an update: `changed` names the fields that differ from before."""

    changed: list[str]


class Page(Record):
    """Where in a list an answer stands; `next_page` only where there is more."""

    total: int | None = None
    page: int | None = None
    per_page: int | None = None
    next_page: int | None = None
    left_out: int | None = Field(default=None, description="Rows of this page left out to keep the answer short.")
    note: str | None = None


class ContactListing(ContactPage, Page):
    """One page of contacts."""


class GroupListing(Page):
    """One page of groups."""

    groups: list[Group]


class MemberListing(Page):
    """One page of a group's members."""

    members: list[Contact]


def next_page(page: int, per_page: int, shown: int, total: int | None) -> int | None:
    """The number of the page after this one, or None where this is the last."""
    more = page * per_page < total if total is not None else shown >= per_page
    return page + 1 if more and shown else None


class ShortAnswer(Record):
    """What a workflow tool answers: never more than a few thousand tokens, however many contacts it was about."""

    left_out: int | None = Field(default=None, description="Rows left out to keep the answer short.")


class FileAnswer(ShortAnswer):
    """An answer with a file beside it, which can be fetched at `uri`."""

    uri: str | None = None
    file: str | None = None
    mime_type: str | None = None
    bytes: int | None = None


class Brief(Record):
    """As much of a contact as it takes to tell who it is."""

    id: str
    name: str | None = None
    company_name: str | None = None
    phone_number: str | None = None
    email: str | None = None
