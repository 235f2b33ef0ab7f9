"""list_deleted_contacts and restore_contact: bring back what was deleted or merged, if the service offers it."""

from typing import Any

from pydantic import Field

from contacts_mcp.contract import (
    ContactId,
    ListDeletedContacts,
    ReadPerson,
    Record,
    RestoreContact,
    Risk,
    SearchText,
    Text,
)
from contacts_mcp.contract.models import Timestamp
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.tools._answers import ContactSummary, one_line, summarize
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._targets import describe_record
from contacts_mcp.tools._tool import Backend, PreparedCall, Tool, read_tool

RESTORE = "restore"  # the extension with which a directory restores contacts
_MAX_ROWS = 10  # few enough that a page never has to be cut, which would lose rows between two cursors
_VALUE_LENGTH = 40
_EFFECT = "The contact is live again, in no group. What it was merged into stays as it is."
_NOT_DELETED = "the contact was not deleted; nothing was changed"
NOT_KNOWN = (
    "the contact is live; whether it was deleted before is not known, as an answer of the service was lost, nor which"
    " groups it is in"
)
_IN_NO_GROUP = "the contact is in no group; the directory does not keep which it was in"
_GROUPS_OF_KEPT = ", but the merge may have added {kept} to them"
_ADD_AGAIN = "add_group_members adds it to those it belongs to"
_SEPARATE = "it is a contact of its own again: erasing it or {kept} does not erase the other; {kept} keeps its values"


class ListDeletedContactsArguments(Arguments):
    """List deleted and merged contacts, which restore_contact restores."""

    search: SearchText | None = None
    after: Text | None = Field(default=None, description="next_after of the page before.")


class DeletedContact(ContactSummary):
    """A deleted contact that is not erased."""

    deleted_at: Timestamp | None = None
    merged_into: str | None = Field(default=None, description="The contact that it was merged into.")


class DeletedContacts(Record):
    """One page of deleted contacts, in the order in which they were created."""

    contacts: list[DeletedContact]
    next_after: str | None = Field(default=None, description="Give it as after for the next page.")


class RestoreContactArguments(Arguments):
    """Restore a deleted or merged contact, but not its groups. list_deleted_contacts finds it."""

    contact_id: ContactId


class RestoredContact(ContactSummary):
    """A contact after it was restored. A caller who may not read gets only its id."""

    restored: bool = Field(description="False if it was not deleted.")
    was_merged_into: str | None = Field(default=None, description="The contact that it was merged into.")
    note: str | None = None


async def _list(backend: Backend, arguments: ListDeletedContactsArguments) -> DeletedContacts:
    given = arguments.model_dump(exclude_none=True)
    page = await backend.send(ListDeletedContacts(**given, limit=_MAX_ROWS))
    contacts = [
        DeletedContact(
            id=each.id,
            **{name: one_line(getattr(each, name), _VALUE_LENGTH) for name in ("name", "phone_number", "email")},
            deleted_at=each.deleted_at,
            merged_into=each.merged_into,
        )
        for each in page.contacts
    ]
    return DeletedContacts(contacts=contacts, next_after=page.next)


async def _prepare_restore(backend: Backend, arguments: RestoreContactArguments) -> PreparedCall:
    async def read_target() -> Target:
        person = await backend.send(ReadPerson(contact_id=arguments.contact_id))
        return Target(describe_record(person), _EFFECT, hash_json(person.model_dump()))

    return PreparedCall(Risk.WRITE, lambda: _restore(backend, arguments.contact_id), read_target)


async def _restore(backend: Backend, contact_id: str) -> RestoredContact:
    restored = await backend.send(RestoreContact(contact_id=contact_id))
    shown: dict[str, Any] = {"id": restored.id}
    if backend.may_read:
        shown = {**summarize(restored).model_dump(exclude_none=True), "was_merged_into": restored.was_merged_into}
    return RestoredContact(**shown, restored=restored.was_deleted is not False, note=_note(restored.was_deleted, shown))


def _note(was_deleted: bool | None, shown: dict[str, Any]) -> str:
    if not was_deleted:
        return NOT_KNOWN if was_deleted is None else _NOT_DELETED
    kept = shown.get("was_merged_into")
    if kept is None:
        return f"{_IN_NO_GROUP}; {_ADD_AGAIN}"
    return f"{_IN_NO_GROUP}{_GROUPS_OF_KEPT}; {_ADD_AGAIN}; {_SEPARATE}".format(kept=kept)


list_deleted_contacts = read_tool(
    "list_deleted_contacts", ListDeletedContactsArguments, DeletedContacts, _list, extension=RESTORE
)
restore_contact = Tool(
    name="restore_contact",
    risk=Risk.WRITE,
    arguments=RestoreContactArguments,
    answer=RestoredContact,
    prepare=_prepare_restore,
    target_args=("contact_id",),
    is_time_limited=True,
    extension=RESTORE,
    names_deleted=True,
)
