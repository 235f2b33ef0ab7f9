"""What a directory may offer beyond the API's page, for jobs on many contacts.

The embedded directory does; the platform is never assumed to. Whoever uses one of these has asked DescribeDirectory
first: `scan` stands for ScanContacts, `batch` for BatchContacts.
"""

from typing import Any

from pydantic import Field

from contacts_mcp.contract._call import Call, GroupId, Request, Risk, Text
from contacts_mcp.contract.calls import CreateContact, UpdateContact
from contacts_mcp.contract.models import ContactType, Record

MAX_SCAN_ROWS = 5_000
"""Contacts of one scanned page at most."""
MAX_BATCH_SIZE = 1_000
"""Contacts of one batch at most."""


class Extensions(Record):
    """What is offered, by name."""

    extensions: list[str]


class ScanPage(Record):
    """Contacts as rows of values in the order of `fields`, and the cursor of the next page; None on the last.

    Rows and no records: a hundred thousand of them are read in a second, where records would take ten.
    """

    fields: list[str]
    rows: list[list[Any]]
    next: str | None = None


class BatchItemResult(Record):
    """What became of one contact of a batch: its id where it was written, else why not. `status` is as in HTTP."""

    status: int
    id: str | None = None
    detail: str | None = None


class BatchResult(Record):
    """The outcomes of a batch: of the creates in their order, then of the updates in theirs."""

    results: list[BatchItemResult]


class DescribeDirectory(Call[Extensions]):
    """Ask what the service offers beyond the API's page."""

    route = "GET /v1/directory"
    risk = Risk.READ
    idempotent = True


class ScanContacts(Call[ScanPage]):
    """Read all contacts that a filter meets, a large page at a time, oldest first.

    Each contact that is there from the first page to the last is met exactly once, whatever is written meanwhile.
    """

    route = "GET /v1/directory/contacts"
    risk = Risk.READ
    idempotent = True
    fields: list[Text] = Field(min_length=1)
    limit: int = Field(default=MAX_SCAN_ROWS, ge=1, le=MAX_SCAN_ROWS)
    after: Text | None = None
    type: ContactType | None = None
    search: Text | None = None
    tags: list[Text] | None = None
    group_id: GroupId | None = None


class BatchContacts(Call[BatchResult]):
    """Write several contacts in one transaction. One that is refused is reported, and does not hold up the others."""

    route = "POST /v1/directory/contacts"
    risk = Risk.WRITE
    idempotent = False
    creates: list[CreateContact] = Field(default_factory=list)
    updates: list[UpdateContact] = Field(default_factory=list)

    def request(self) -> Request:
        """Both lists as the single calls would send them, an update with its id."""
        creates = [call.request().body for call in self.creates]
        updates = [{"id": call.contact_id, **(call.request().body or {})} for call in self.updates]

        return Request(self.method, self.path, body={"creates": creates, "updates": updates})
