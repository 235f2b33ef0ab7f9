"""Writing many contacts, in batches where the service takes them, and what became of each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from contacts_mcp.contract import (
    MAX_BATCH_SIZE,
    AddGroupMembers,
    AuthenticationFailed,
    BatchContacts,
    BatchItemResult,
    ContactsError,
    CreateContact,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    ServerFault,
    Unreachable,
    UnreadableAnswer,
    UpdateContact,
    ValidationFailed,
)
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._budget import WriteBudgetExceeded
from contacts_mcp.tools.steps._pace import JobClient
from contacts_mcp.tools.steps._progress import Progress

K = TypeVar("K")
T = TypeVar("T")

_JOINING = 1_000
"""Contacts that one request adds to a group (API page: Add members to group; the most that an SMS takes)."""
_HOPELESS = (AuthenticationFailed, PermissionDenied, WriteBudgetExceeded)
"""What the next contact would meet as well."""
UNSETTLED = (OutcomeUnknown, ServerFault, UnreadableAnswer, Unreachable)
"""What leaves open whether a contact was written, or may pass."""


@dataclass(frozen=True, slots=True)
class Writing(Generic[K]):
    """One contact to be written; `key` is what its sender knows it by."""

    key: K
    call: CreateContact | UpdateContact


@dataclass(frozen=True, slots=True)
class Outcome:
    """The id of a contact that was written, or why it was not."""

    id: str | None = None
    fault: ContactsError | None = None

    @property
    def unsettled(self) -> bool:
        """Whether it may have been written all the same, or might be another time."""
        return isinstance(self.fault, UNSETTLED)


async def write_all(
    backend: Backend,
    pace: JobClient,
    writings: Iterable[Writing[K]],
    settle: Callable[[K, Outcome], None],
    progress: Progress,
) -> None:
    """Write each, and say at once what became of it; they are made as they are taken, since so many are large.

    Raises:
        ContactsError: what no other contact would be spared; those not settled by then were not written.
    """

    async def one(writing: Writing[K]) -> None:
        settle(writing.key, await _written(pace, writing.call))
        await progress.advance()

    async def many(batch: Sequence[Writing[K]]) -> None:
        for writing, outcome in zip(batch, await _batch(pace, [each.call for each in batch]), strict=True):
            settle(writing.key, outcome)
        await progress.advance(len(batch))

    if await backend.supports("batch"):
        await pace.map_concurrently(_slices(writings, MAX_BATCH_SIZE), many)
    else:
        await pace.map_concurrently(writings, one)


async def join_group(
    pace: JobClient, group_id: str, ids: Sequence[str], joined: Callable[[int], None], progress: Progress
) -> None:
    """Add contacts to a group, and say after each request how many it was for. Raises what stops it."""

    async def join(slice_: Sequence[str]) -> None:
        await pace.send(AddGroupMembers(group_id=group_id, contact_ids=list(slice_)))
        joined(len(slice_))
        await progress.advance(len(slice_))

    await pace.map_concurrently(_slices(ids, _JOINING), join)


async def _written(pace: JobClient, call: CreateContact | UpdateContact) -> Outcome:
    try:
        return Outcome((await pace.send(call)).id)
    except _HOPELESS:
        raise
    except ContactsError as exc:
        return Outcome(fault=exc)


async def _batch(pace: JobClient, calls: Iterable[CreateContact | UpdateContact]) -> Iterator[Outcome]:
    """The outcomes in the order of the calls; the service answers creates first, then updates."""
    calls = list(calls)
    creates = [call for call in calls if isinstance(call, CreateContact)]
    updates = [call for call in calls if isinstance(call, UpdateContact)]
    try:
        answer = await pace.send(BatchContacts(creates=creates, updates=updates))
    except _HOPELESS:
        raise
    except ContactsError as exc:
        return iter([Outcome(fault=exc) for _ in calls])
    if len(answer.results) != len(calls):
        unclear = UnreadableAnswer("the directory did not say what became of each contact")
        return iter([Outcome(fault=unclear) for _ in calls])
    of_creates, of_updates = iter(answer.results[: len(creates)]), iter(answer.results[len(creates) :])
    return (_outcome(next(of_creates if isinstance(call, CreateContact) else of_updates)) for call in calls)


def _outcome(result: BatchItemResult) -> Outcome:
    match result.status:
        case 200 | 201:
            return Outcome(result.id)
        case 404:
            return Outcome(fault=NotFound("there is no such contact (any more)"))
        case _:
            return Outcome(fault=ValidationFailed(result.detail or "the directory does not take it"))


def _slices(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part
