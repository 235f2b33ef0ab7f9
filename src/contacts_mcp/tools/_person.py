"""What the service knows of a person: a contact, and the records that were merged into it.

Only a directory with the extension `persons` shows deleted records, merges and receipts; the platform does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contacts_mcp.contract import (
    AuthenticationFailed,
    Contact,
    ContactsError,
    DirectoryUnavailable,
    GetContact,
    NotFound,
    PersonRecord,
    ReadPerson,
)
from contacts_mcp.tools._tool import Backend

_PERSONS = "persons"  # the extension with which a directory shows deleted records, merges and receipts


class RecordsUnknown(ContactsError):
    """The service did not say whether it knows which records belong to a person, so none is erased or merged."""

    code = "records_unknown"
    advice = "nothing was changed; try again in a moment; if it happens again, the operator must check the service"

    def __init__(self, cause: ContactsError) -> None:
        super().__init__(
            f"the directory could not say which records belong to the person ({cause.message})", status=cause.status
        )


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """What the service knows of a person.

    Attributes:
        contact: the contact; None if the service does not show it.
        merged: the records that were merged into it.
        group_ids: the groups that it is a member of; None if the service does not tell.
    """

    contact: PersonRecord | None
    merged: Sequence[PersonRecord] = ()
    group_ids: Sequence[str] | None = None

    @property
    def records(self) -> list[PersonRecord]:
        """The contact, if it is shown, and what was merged into it."""
        return [*([self.contact] if self.contact else []), *self.merged]


async def offers_persons(backend: Backend) -> bool:
    """Whether the service knows which records belong to a person.

    Without an answer this is an error: an erasure would miss records that were merged into the contact, and would not
    name them. Raises RecordsUnknown, AuthenticationFailed or DirectoryUnavailable.
    """
    try:
        return _PERSONS in await backend.client.extensions()
    except (AuthenticationFailed, DirectoryUnavailable):
        raise
    except ContactsError as exc:
        raise RecordsUnknown(exc) from exc


async def read_person(backend: Backend, contact_id: str, *, has_persons: bool) -> KnownPerson:
    """Read a contact, live or not, and what was merged into it.

    Raises NotFound if the directory says that it never existed; the platform does not say that.
    """
    if has_persons:
        person = await backend.send(ReadPerson(contact_id=contact_id))
        return KnownPerson(person, person.merged, person.group_ids)
    try:
        return KnownPerson(to_record(await backend.send(GetContact(contact_id=contact_id))))
    except NotFound:
        return KnownPerson(None)


def to_record(contact: Contact) -> PersonRecord:
    """Return a live contact of the documented API as a record."""
    return PersonRecord(**{name: getattr(contact, name) for name in contact.model_fields_set | {"id"}})
