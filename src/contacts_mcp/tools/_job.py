"""Send the many calls of a job: a few at a time, within the rate limit, and without interrupting a change."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Generic, TypeVar
from uuid import uuid4

import anyio
import anyio.lowlevel

from contacts_mcp.contract import (
    MAX_BATCH_SIZE,
    AddGroupMembers,
    AnswerT,
    AuthenticationFailed,
    BatchContacts,
    BatchItemResult,
    BatchResult,
    Call,
    ContactsError,
    CreateContact,
    DirectoryUnavailable,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Risk,
    ServerFault,
    Unreachable,
    UnreadableAnswer,
    UpdateContact,
    ValidationFailed,
)
from contacts_mcp.tools._tool import Backend
from contacts_mcp.tools._turns import ProgressReporter, iterate_cooperatively
from contacts_mcp.tools._write_budget import WriteBudgetExceeded

K = TypeVar("K")
R = TypeVar("R")
T = TypeVar("T")

MAX_CONCURRENT_CALLS = 8  # of one job: half of what the client allows, so that other callers are not held up
FIRST_WAIT_SECONDS = 1.0
MAX_WAIT_STEP_SECONDS = 60.0
MAX_WAIT_SECONDS = 600.0  # how long a job waits in total when the service limits its rate
RETRY_DELAYS_SECONDS = (0.05, 0.2, 0.5, 1.0)  # of an idempotent call: among thousands of calls, some fail
CANCEL_GRACE_SECONDS = 2.0  # how long a change that has begun may take to finish after the job was cancelled
_MAX_BATCH_LENGTH = 1_000_000  # characters of notes in one batch, which the service reads in one turn
_MAX_GROUP_ADDITIONS = 1_000  # contacts that one request adds to a group (API page: Add members to group)
_TRANSIENT_ERRORS = (ServerFault, Unreachable, UnreadableAnswer)
_FATAL_ERRORS = (AuthenticationFailed, DirectoryUnavailable, PermissionDenied, WriteBudgetExceeded)
"""Errors after which every other contact would fail, too."""
_UNCERTAIN_ERRORS = (OutcomeUnknown, ServerFault, UnreadableAnswer, Unreachable)
"""Errors after which a contact may have been written, or may still be written by another attempt."""


class JobClient:
    """The client of one job. If the service limits the rate, all calls of the job wait."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._silent_backend = replace(backend, report=None)  # the job reports its own progress
        self._resume_at = 0.0
        self._next_wait = FIRST_WAIT_SECONDS
        self._waited = 0.0
        self._changes_under_way: set[anyio.CancelScope] = set()

    def progress(self, what: str, total: int | None = None) -> ProgressReporter:
        return ProgressReporter(self.backend.report, what, total)

    async def send(self, call: Call[AnswerT]) -> AnswerT:
        """Send a call as soon as the rate limit allows. A change that has begun survives a cancellation.

        Raises like ContactsClient.send, but RateLimited only after the job has waited MAX_WAIT_SECONDS.
        """
        delays = iter(RETRY_DELAYS_SECONDS if call.idempotent else ())
        while True:
            if (wait := self._resume_at - time.monotonic()) > 0:
                await anyio.sleep(wait)
            try:
                answer = await (self._silent_backend.send(call) if call.risk is Risk.READ else self._send_change(call))
            except RateLimited as exc:
                self._pause(exc)
            except _TRANSIENT_ERRORS:
                if (wait := next(delays, 0.0)) == 0.0:
                    raise
                await anyio.sleep(wait)
            else:
                self._next_wait = FIRST_WAIT_SECONDS
                return answer

    async def map_concurrently(self, items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
        """Return the results of `work` in the order of the items, with MAX_CONCURRENT_CALLS at a time.

        The first ContactsError stops it and is raised.
        """
        source = enumerate(items)
        results: dict[int, R] = {}
        errors: list[ContactsError] = []

        async def run_worker() -> None:
            for index, item in source:
                try:
                    results[index] = await work(item)
                except ContactsError as exc:
                    errors.append(exc)
                if errors:
                    return
                await anyio.lowlevel.checkpoint()

        async with self.cancel_grace(), anyio.create_task_group() as workers:
            for _ in range(MAX_CONCURRENT_CALLS):
                workers.start_soon(run_worker)
        if errors:
            raise errors[0]
        return [results[index] for index in range(len(results))]

    @asynccontextmanager
    async def cancel_grace(self) -> AsyncIterator[None]:
        """On a cancellation, give each change under way CANCEL_GRACE_SECONDS to finish, and start no other."""
        error: ContactsError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._set_deadlines_on_cancel)
            try:
                yield
            except ContactsError as exc:  # raised below, since the task group would wrap it
                error = exc
            tasks.cancel_scope.cancel()
        if error is not None:
            raise error

    async def _set_deadlines_on_cancel(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            for scope in self._changes_under_way:
                scope.deadline = anyio.current_time() + CANCEL_GRACE_SECONDS

    async def _send_change(self, call: Call[AnswerT]) -> AnswerT:
        await anyio.lowlevel.checkpoint_if_cancelled()
        with anyio.CancelScope(shield=True) as scope:
            self._changes_under_way.add(scope)
            try:
                return await self._silent_backend.send(call)
            finally:
                self._changes_under_way.discard(scope)
        raise OutcomeUnknown("the job was cancelled before the service answered")

    def _pause(self, refusal: RateLimited) -> None:
        """Make all calls of the job wait. Raises `refusal` if the job has waited too long in total."""
        wait = self._next_wait if refusal.retry_after is None else max(refusal.retry_after, 0.1)
        until = time.monotonic() + wait
        if until <= self._resume_at:
            return
        self._waited += until - max(self._resume_at, time.monotonic())
        if self._waited > MAX_WAIT_SECONDS:
            raise refusal
        self._next_wait = min(2 * self._next_wait, MAX_WAIT_STEP_SECONDS)
        self._resume_at = until


@dataclass(frozen=True, slots=True)
class ContactWrite(Generic[K]):
    """A contact to write; `key` identifies it for the caller of `write_contacts`."""

    key: K
    call: CreateContact | UpdateContact


@dataclass(slots=True)
class JobUndo:
    """How the updates of a job can be undone: by the receipt, until the time that the service names, if it can."""

    receipt: str = field(default_factory=lambda: str(uuid4()))
    until: datetime | None = None
    _is_refused: bool = False

    def add(self, batch: BatchResult) -> None:
        """Take in the answer to one batch: if one of them cannot be undone, none can."""
        self._is_refused = self._is_refused or batch.undo_until is None
        self.until = None if self._is_refused else batch.undo_until


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The id of a contact that was written, or why it was not written."""

    id: str | None = None
    error: ContactsError | None = None

    @property
    def is_uncertain(self) -> bool:
        """Whether the contact may have been written despite the error, or may still be written by another attempt."""
        return isinstance(self.error, _UNCERTAIN_ERRORS)

    @property
    def failure(self) -> str | None:
        """`unknown`, `failed`, or None if the contact was written."""
        return "unknown" if self.is_uncertain else "failed" if self.error else None


async def write_contacts(
    client: JobClient,
    writes: Iterable[ContactWrite[K]],
    record: Callable[[K, WriteResult], None],
    progress: ProgressReporter,
    undo: JobUndo | None = None,
) -> None:
    """Write contacts, in batches if the service supports them; `record` gets each result as soon as it is known.

    With `undo`, which the service must offer, the updates can be undone.
    `writes` is consumed while it is sent, so that a large job does not build all calls first. Raises a ContactsError if
    no further contact can be written; contacts that were not recorded were not written.
    """

    async def write_one(write: ContactWrite[K]) -> None:
        try:
            result = WriteResult((await client.send(write.call)).id)
        except _FATAL_ERRORS:
            raise
        except ContactsError as exc:
            result = WriteResult(error=exc)
        record(write.key, result)
        await progress.advance()

    batches = _Batches(writes)

    async def write_batches(_worker: int) -> None:
        while batch := await batches.take():
            results = await _send_batch(client, [each.call for each in batch], undo)
            for write, result in zip(batch, results, strict=True):
                record(write.key, result)
            await progress.advance(len(batch))

    if await client.backend.supports("batch"):
        await client.map_concurrently(range(MAX_CONCURRENT_CALLS), write_batches)
    else:
        await client.map_concurrently(writes, write_one)


class _Batches(Generic[K]):
    """Batches for several workers. Building the calls of one takes longer than a turn, so it is done cooperatively."""

    def __init__(self, writes: Iterable[ContactWrite[K]]) -> None:
        self._writes = iterate_cooperatively(writes)
        self._taking = anyio.Lock()

    async def take(self) -> list[ContactWrite[K]]:
        """Return the next batch; it is empty after the last."""
        batch: list[ContactWrite[K]] = []
        length = 0
        async with self._taking:
            async for write in self._writes:
                batch.append(write)
                length += len(write.call.notes or "")
                if len(batch) == MAX_BATCH_SIZE or length >= _MAX_BATCH_LENGTH:
                    break
        return batch


async def add_to_group(
    client: JobClient, group_id: str, ids: Sequence[str], record: Callable[[int], None], progress: ProgressReporter
) -> None:
    """Add contacts to a group; `record` gets the number of contacts after each request."""

    async def add(part: Sequence[str]) -> None:
        await client.send(AddGroupMembers(group_id=group_id, contact_ids=list(part)))
        record(len(part))
        await progress.advance(len(part))

    await client.map_concurrently(_slice(ids, _MAX_GROUP_ADDITIONS), add)


async def _send_batch(
    client: JobClient, calls: Sequence[CreateContact | UpdateContact], undo: JobUndo | None
) -> Iterator[WriteResult]:
    """Send one batch; the results are in the order of the calls (the service answers creates first, then updates)."""
    creates = [call for call in calls if isinstance(call, CreateContact)]
    updates = [call for call in calls if isinstance(call, UpdateContact)]
    try:
        receipt = undo.receipt if undo else None
        answer = await client.send(BatchContacts(creates=creates, updates=updates, undo=receipt))
    except _FATAL_ERRORS:
        raise
    except ContactsError as exc:
        return iter([WriteResult(error=exc)] * len(calls))
    if undo:
        undo.add(answer)
    if len(answer.results) != len(calls):
        incomplete = UnreadableAnswer("the directory did not report the result of each contact")
        return iter([WriteResult(error=incomplete)] * len(calls))
    of_creates, of_updates = iter(answer.results[: len(creates)]), iter(answer.results[len(creates) :])
    return (_to_result(next(of_creates if isinstance(call, CreateContact) else of_updates)) for call in calls)


def _to_result(item: BatchItemResult) -> WriteResult:
    match item.status:
        case 200 | 201:
            return WriteResult(item.id)
        case 404:
            return WriteResult(error=NotFound("the contact does not exist, or was deleted"))
        case _:
            return WriteResult(error=ValidationFailed(item.detail or "the directory refused the contact"))


def _slice(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part
