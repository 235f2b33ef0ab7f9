"""Where the service's page contradicts itself, and the way round."""

from typing import Protocol, cast

from contacts_mcp.client._answers import EmptyAnswer
from contacts_mcp.contract import (
    AnswerT,
    Call,
    Contact,
    ContactsError,
    GetContact,
    GetContactGroup,
    Group,
    OutcomeUnknown,
    UpdateContact,
    UpdateContactGroup,
    ValidationFailed,
)


class Send(Protocol):
    """Sends one call as it is."""

    async def __call__(self, call: Call[AnswerT], /) -> AnswerT: ...


async def update(call: Call[AnswerT], send: Send) -> AnswerT:
    """Change a record, and read it where the service accepts the change without a word (204)."""
    try:
        return await _patch(call, send)
    except EmptyAnswer:
        pass
    try:
        return await send(_reading(call))
    except ContactsError as exc:
        raise OutcomeUnknown("the change was accepted without an answer, and reading it back failed") from exc


async def _patch(call: Call[AnswerT], send: Send) -> AnswerT:
    """The page marks `name` required, yet says that only provided fields are updated (API page: Update contact).

    So only what changes is sent; where the service insists, it is told the name that it has.
    """
    try:
        return await send(call)
    except ValidationFailed as refusal:
        if "name" in call.model_fields_set or "name" not in (fault.path for fault in refusal.faults):
            raise
        current = cast("Contact | Group", await send(_reading(call)))
        if current.name is None:
            raise
        return await send(call.model_copy(update={"name": current.name}))


def _reading(call: Call[AnswerT]) -> Call[AnswerT]:
    """The call that reads what an update changes."""
    if isinstance(call, UpdateContact):
        return cast("Call[AnswerT]", GetContact(contact_id=call.contact_id))
    return cast("Call[AnswerT]", GetContactGroup(group_id=cast("UpdateContactGroup", call).group_id))
