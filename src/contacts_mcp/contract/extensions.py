"""Extensions of the API, which only the embedded directory offers: many contacts at once, all records of a person.

Before sending one of these calls, check DescribeDirectory: `scan` means ScanContacts, `batch` means BatchContacts, and
`persons` means the calls from ReadPerson on, but for RestoreContact, which has the name `restore`, ReadReceipt, which
has the name `receipts`, and ReadUndo and UndoUpdate, which have the name `undo`.
"""

from typing import Any, Literal

from pydantic import Field

from contacts_mcp.contract._call import Call, ContactId, GroupId, Request, Risk, SearchText, Tags, Text, UndoReceipt
from contacts_mcp.contract.calls import CreateContact, UpdateContact
from contacts_mcp.contract.models import Contact, ContactType, Record, Timestamp

MAX_ERASED = 1_000  # most records in one erasure
MAX_SCAN_ROWS = 1_000  # most contacts in one page of a scan; each page is read in one turn of the event loop
MAX_RECEIPT_NUMBER = 2**62
MAX_BATCH_SIZE = 1_000  # most contacts in one batch


class Extensions(Record):
    """The names of the offered extensions, and, if the service tells, the caller's key: what it allows, and its tenant.

    A key allows `read`, `write` and `approve`, or some of these.
    """

    extensions: list[str]
    scopes: list[str] | None = None
    tenant: str | None = None


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
    """The results of a batch: first those of the creates in their order, then those of the updates.

    `undo_until` says until when a batch with a receipt can be undone; None if it cannot.
    """

    results: list[BatchItemResult]
    undo_until: Timestamp | None = None


class UndoneContact(Record):
    """A contact of an update that can be undone: the values that the update replaced, by field, and those it has now.

    `status` says what happened since to these fields, or to the contact.
    """

    id: str
    name: str | None = None
    status: Literal["unchanged", "changed", "deleted"]
    before: dict[str, Any]
    current: dict[str, Any]


class UndoPage(Record):
    """Contacts of an update; `next` is the next page's cursor, None on the last page.

    `total` counts the contacts of all pages, and the `erased` ones, which no page has.
    """

    contacts: list[UndoneContact]
    next: str | None = None
    total: int
    erased: int
    undo_until: Timestamp


class UndoResult(Record):
    """How many contacts were restored, or stay as they are because they were changed since or deleted."""

    restored: int
    changed: int
    deleted: int
    remaining: int


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

    The client sets it to None if an earlier attempt, whose answer was lost, may have restored the contact.
    `was_merged_into` is the id of the contact that it was merged into and is separate from now.
    """

    was_deleted: bool | None
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


class ReceiptChain(Record):
    """The hash chain of all receipts of a directory.

    `length` and `hash` are of its last receipt; `faults` says what is wrong with it, and is empty if it is intact.
    """

    length: int
    hash: str
    faults: list[str]


class ReceiptProof(Receipt):
    """The receipt of one erasure, with its place in the chain of all receipts.

    `actor` is who erased the contact, `previous` the hash of the receipt before, empty for the first.
    """

    actor: str
    reason: str
    previous: str
    hash: str
    chain: ReceiptChain


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
    undo: UndoReceipt | None = None  # a random UUID, by which UndoUpdate undoes the updates of all batches that have it

    def request(self) -> Request:
        """Build both lists from the bodies of the single calls; an update also gets its id."""
        creates = [call.request().body for call in self.creates]
        updates = [{"id": call.contact_id, **(call.request().body or {})} for call in self.updates]
        undo = {} if self.undo is None else {"undo": self.undo}
        return Request(self.method, self.path, body={"creates": creates, "updates": updates, **undo})


class ReadUndo(Call[UndoPage]):
    """Read the contacts that an update changed, and the values that undoing it brings back."""

    route = "GET /v1/directory/undo/{receipt}"
    risk = Risk.READ
    idempotent = True
    receipt: UndoReceipt
    limit: int = Field(default=MAX_BATCH_SIZE, ge=1, le=MAX_BATCH_SIZE)
    after: Text | None = None


class UndoUpdate(Call[UndoResult]):
    """Undo an update for up to MAX_BATCH_SIZE of its contacts. Send it until none remain."""

    route = "POST /v1/directory/undo/{receipt}"
    risk = Risk.DESTROY
    idempotent = False
    receipt: UndoReceipt
    contacts: int = Field(default=MAX_BATCH_SIZE, ge=0)  # that the caller expects to be restored; not sent

    def request(self) -> Request:
        """Build the request, which has no body."""
        return Request(self.method, self.path.format(receipt=self.receipt), body={})


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


class ReadReceipt(Call[ReceiptProof]):
    """Read the receipt of an erasure by its number, and verify the chain of all receipts."""

    route = "GET /v1/directory/receipts/{number}"
    risk = Risk.READ
    idempotent = True
    number: int = Field(ge=1, le=MAX_RECEIPT_NUMBER)
