"""Extensions of the API for work on many contacts, which only the embedded directory offers.

Before sending one of these calls, check DescribeDirectory: `scan` means ScanContacts, `batch` means BatchContacts.
"""

from typing import Any

from pydantic import Field

from contacts_mcp.contract._call import Call, GroupId, Request, Risk, SearchText, Tags, Text
from contacts_mcp.contract.calls import CreateContact, UpdateContact
from contacts_mcp.contract.models import ContactType, Record

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
