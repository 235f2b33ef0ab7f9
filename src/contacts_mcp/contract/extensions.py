"""Extensions of the API, which only the embedded directory offers: many contacts at once, all records of a person.

Before sending one of these calls, check DescribeDirectory: `scan` means ScanContacts, `batch` means BatchContacts, and
`persons` means the calls from ReadPerson on, but for RestoreContact, which has the name `restore`.
"""

from typing import Any, Literal

from pydantic import Field

from contacts_mcp.contract._call import Call, ContactId, GroupId, Request, Risk, SearchText, Tags, Text
from contacts_mcp.contract.calls import CreateContact, UpdateContact
from contacts_mcp.contract.models import Contact, ContactType, Record, Timestamp

MAX_ERASED = 1_000  # most records in one erasure
MAX_SCAN_ROWS = 1_000  # most contacts in one page of a scan; each page is read in one turn of the event loop
MAX_BATCH_SIZE = 1_000  # most contacts in one batch


class Extensions(Record):
    """The names of the offered extensions, and what the caller's key allows, if the service tells: `read`, `write`."""

    extensions: list[str]
    scopes: list[str] | None = None


class ScanPage(Record):
    """Contacts as rows of values in the order of `fields`; `next` is the next page's cursor, None on the last page.

    A hundred thousand rows are read in a second, as records in ten.
    """

    fields: list[str]
    rows: list[list[Any]]
    next: str | None = None


class BatchItemResult(Record):
    """The result of one contact in a batch: an HTTP status, and its id if it was written, else the reason."""

    status: int
    id: str | None = None
    detail: str | None = None


class BatchResult(Record):
    """The results of a batch: first those of the creates in their order, then those of the updates."""

    results: list[BatchItemResult]


class PersonRecord(Contact):
    """A contact as the directory keeps it, live or not, without its tags and notes.

    `merged_into` is the id of the contact that it was merged into, `receipt` the number of the receipt of its erasure.
    """

    status: Literal["live", "deleted", "erased"] = "live"
    deleted_at: Timestamp | None = None
    erased_at: Timestamp | None = None
    merged_into: str | None = None
    receipt: int | None = None


class Person(PersonRecord):
    """A contact with the records that were merged into it, also through others, and the groups it is a member of."""

    merged: list[PersonRecord]
    group_ids: list[str]


class RestoredRecord(PersonRecord):
    """A contact after it was restored; if `was_deleted` is false, it was live before and nothing was changed.

    `was_merged_into` is the id of the contact that it was merged into and is separate from now.
    """

    was_deleted: bool
    was_merged_into: str | None = None


class DeletedPage(Record):
    """Deleted contacts; `next` is the next page's cursor, None on the last page."""

    contacts: list[PersonRecord]
    next: str | None = None


class Receipt(Record):
    """The receipt of one erasure; `fields` names the fields that had a value."""

    number: int
    contact_id: str
    erased_at: Timestamp
    fields: list[str]


class MergedIds(Record):
    """The ids of the records that are now linked to the kept contact."""

    merged: list[str]


class Receipts(Record):
    """The receipts of all records that are erased now."""

    receipts: list[Receipt]


class DescribeDirectory(Call[Extensions]):
    """List the extensions that the service offers."""

    route = "GET /v1/directory"
    risk = Risk.READ
    idempotent = True


class ScanContacts(Call[ScanPage]):
    """Read all contacts that match a filter in large pages, oldest first.

    A contact that exists during the whole scan is returned exactly once, even if others are written meanwhile.
    """

    route = "GET /v1/directory/contacts"
    risk = Risk.READ
    idempotent = True
    fields: list[Text] = Field(min_length=1)
    limit: int = Field(default=MAX_SCAN_ROWS, ge=1, le=MAX_SCAN_ROWS)
    after: Text | None = None
    type: ContactType | None = None
    search: SearchText | None = None
    tags: Tags | None = None
    group_id: GroupId | None = None


class BatchContacts(Call[BatchResult]):
    """Write several contacts in one transaction. An invalid contact is reported and does not stop the others."""

    route = "POST /v1/directory/contacts"
    risk = Risk.WRITE
    idempotent = False
    creates: list[CreateContact] = Field(default_factory=list)
    updates: list[UpdateContact] = Field(default_factory=list)

    def request(self) -> Request:
        """Build both lists from the bodies of the single calls; an update also gets its id."""
        creates = [call.request().body for call in self.creates]
        updates = [{"id": call.contact_id, **(call.request().body or {})} for call in self.updates]
        return Request(self.method, self.path, body={"creates": creates, "updates": updates})


class ReadPerson(Call[Person]):
    """Read a contact, live, deleted or erased, with the records that were merged into it."""

    route = "GET /v1/directory/persons/{contact_id}"
    risk = Risk.READ
    idempotent = True
    contact_id: ContactId


class ListDeletedContacts(Call[DeletedPage]):
    """List deleted contacts that match a search and are not erased."""

    route = "GET /v1/directory/deleted"
    risk = Risk.READ
    idempotent = True
    search: SearchText | None = None
    limit: int = Field(default=MAX_SCAN_ROWS, ge=1, le=MAX_SCAN_ROWS)
    after: Text | None = None


class MergeRecords(Call[MergedIds]):
    """Delete contacts whose data another contact has taken over, and link them to it."""

    route = "POST /v1/directory/persons/{contact_id}/merge"
    risk = Risk.DESTROY
    idempotent = True
    contact_id: ContactId
    merge_ids: list[ContactId] = Field(min_length=1)


class RestoreContact(Call[RestoredRecord]):
    """Make a deleted contact live again, in no group, and separate from the contact that it was merged into."""

    route = "POST /v1/directory/persons/{contact_id}/restore"
    risk = Risk.WRITE
    idempotent = True
    contact_id: ContactId


class EraseRecords(Call[Receipts]):
    """Erase a contact and others in one transaction; they must include what was merged into one of them."""

    route = "POST /v1/directory/persons/{contact_id}/erase"
    risk = Risk.ERASE
    idempotent = True
    contact_id: ContactId
    also_erase: list[ContactId] = Field(default_factory=list, max_length=MAX_ERASED)
    reason: Text
