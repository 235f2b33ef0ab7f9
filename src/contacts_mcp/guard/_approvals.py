"""Approvals: questions that a person decides outside of the call, for example on a page of this computer.

An approval is bound to the tool, its arguments, the target's state, the caller, a time and one use. Its question is not
stored: it is built again from the directory whenever it is shown. Every record is stored sealed: without the server's
key it can neither be read nor forged.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread
from cachetools import TTLCache
from pydantic import ConfigDict, TypeAdapter, ValidationError

from contacts_mcp.contract import ContactsError
from contacts_mcp.guard._consent import Consent
from contacts_mcp.guard._questions import GuardedCall, Refused, Target, hash_json
from contacts_mcp.guard._seal import Seal
from contacts_mcp.private_folder import PrivateFolder

MAX_PENDING_APPROVALS = 20
"""Undecided approvals of one caller; a person cannot judge more."""
MAX_REQUESTS = 100
"""New questions of one caller without a pause of ten minutes, also of those that were replaced."""
MAX_ARGUMENT_BYTES = 256 * 1024
MAX_LIFETIME_SECONDS = 7 * 24 * 3600.0
_POLL_SECONDS = 0.5
"""How often a waiting call looks whether another process has stored a decision."""
_ID_BYTES = 16
_DECISION, _USED = "-decision", "-used"

_REQUESTS_SECONDS = 600.0
_MAX_CALLERS = 10_000
_EXPIRED_SECONDS = 60.0
"""How long a record is kept after it has expired, in case a clock is set back a little."""

R = TypeVar("R", "Approval", "Decision")
T = TypeVar("T")


class ApprovalStoreUnavailable(ContactsError):
    """The store of approvals does not answer, so no decision counts."""

    code = "approvals_unavailable"
    advice = "nothing was changed; try again later"

    def __init__(self) -> None:
        super().__init__("cannot read or store a person's decision")


class ApprovalStore(Protocol):
    """Small records that are written once, in this process or on all servers that share the store.

    All methods raise ApprovalStoreUnavailable.
    """

    async def create(self, name: str, content: str, expires: float) -> bool:
        """Store a record until `expires` (seconds since 1970); return False if the name exists."""
        ...

    async def read(self, name: str) -> str | None:
        """Return a record's content; None if there is none."""
        ...

    async def names(self, prefix: str) -> list[str]:
        """Return the names of all records that begin with `prefix`."""
        ...


class MemoryApprovalStore:
    """The store of a single process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._records: dict[str, tuple[str, float]] = {}
        self._clock = clock

    async def create(self, name: str, content: str, expires: float) -> bool:
        """See ApprovalStore."""
        now = self._clock()
        self._records = {name: record for name, record in self._records.items() if record[1] > now}
        if name in self._records:
            return False
        self._records[name] = (content, expires)
        return True

    async def read(self, name: str) -> str | None:
        """See ApprovalStore."""
        record = self._records.get(name)
        return record[0] if record else None

    async def names(self, prefix: str) -> list[str]:
        """See ApprovalStore."""
        return [name for name in self._records if name.startswith(prefix)]


class FileApprovalStore:
    """The store of all processes of one user, in a folder that only this user can read."""

    def __init__(self, folder: PrivateFolder, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    async def create(self, name: str, content: str, expires: float) -> bool:
        """See ApprovalStore."""
        return await _in_thread(self._create, name, content, expires)

    async def read(self, name: str) -> str | None:
        """See ApprovalStore."""
        return await _in_thread(self._read, name)

    async def names(self, prefix: str) -> list[str]:
        """See ApprovalStore."""
        files = await _in_thread(self._folder.files)
        return [name for _, _, name in files if name.startswith(prefix)]

    def _create(self, name: str, content: str, expires: float) -> bool:
        """Create a file whose time is that of its expiry."""
        is_first = self._folder.create(name, content.encode(), written=expires)
        self._folder.remove_older(self._clock() - _EXPIRED_SECONDS)
        return is_first

    def _read(self, name: str) -> str | None:
        try:
            return self._folder.read(name).decode(errors="replace")
        except FileNotFoundError:
            if not self._folder.path.is_dir():  # Windows reports that like a missing file
                raise
            return None


async def _in_thread(function: Callable[..., T], *args: str | float) -> T:
    try:
        return await anyio.to_thread.run_sync(function, *args)
    except OSError:
        raise ApprovalStoreUnavailable from None


@dataclass(frozen=True, slots=True)
class Approval:
    """A call that waits for a person's decision.

    Attributes:
        arguments: the call's arguments; names of records are replaced by ids.
        target: the fingerprint of what the call changes, when it was asked about.
        principal: the caller who made the call.
        directory: whose directory the call works on.
        asked_by: the host's name and version, as the host says.
        asked_at: seconds since 1970, as `expires`.
    """

    id: str
    tool: str
    arguments: Mapping[str, Any]
    target: str
    principal: str
    directory: str
    asked_by: str
    asked_at: float
    expires: float

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, defer_build=True)  # refuses another version's record

    @property
    def record_name(self) -> str:
        """The name of its record in the store."""
        return f"{_prefix_of(self.directory)}{self.id}"

    def is_of(self, call: GuardedCall) -> bool:
        """Whether it was asked for by this very call."""
        own = (self.tool, self.principal, hash_json(self.arguments))
        return own == (call.tool, call.principal, hash_json(call.arguments))


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision on an approval.

    Attributes:
        consent: the way in which the person was reached.
        by: who decided, if that is known: a caller, or a user of this computer.
        decided_at: seconds since 1970.
        chosen: ids of further records that the person included.
    """

    approval: str
    is_approved: bool
    consent: Consent
    by: str
    decided_at: float
    chosen: tuple[str, ...] = ()

    __pydantic_config__ = ConfigDict(extra="forbid", defer_build=True)


_APPROVAL, _DECIDED = TypeAdapter(Approval), TypeAdapter(Decision)


class Approvals:
    """The approvals in a store, which other processes and replicas may share."""

    def __init__(self, store: ApprovalStore, seal: Seal) -> None:
        self._store = store
        self._seal = seal
        self.clock = seal.clock
        self._has_changed = anyio.Event()
        self._requests: TTLCache[str, int] = TTLCache(_MAX_CALLERS, _REQUESTS_SECONDS, timer=seal.clock)

    async def request(
        self, call: GuardedCall, target: Target, *, directory: str, asked_by: str, lifetime_seconds: float
    ) -> Approval:
        """Store a new approval for a call. An older one of the same call can no longer be used.

        Raises Refused if too many of the caller's approvals wait or were requested, or if the arguments
        are too large to be kept.
        """
        if len(json.dumps(call.arguments, default=str)) > MAX_ARGUMENT_BYTES:
            advice = "nothing was changed; put the file in the folder or send it by a link, and name it in the call"
            raise Refused("the arguments are too large to wait for a person's decision", advice=advice)
        pending = [each for each in await self.pending(directory) if each.principal == call.principal]
        for outdated in (each for each in pending if each.is_of(call)):
            await self.use(outdated)
        if sum(not each.is_of(call) for each in pending) >= MAX_PENDING_APPROVALS:
            advice = "nothing was changed; let the person decide on those first"
            raise Refused(f"{MAX_PENDING_APPROVALS} questions already wait for a person", advice=advice)
        self.count_request(call.principal)
        now = self.clock()
        approval = Approval(
            id=secrets.token_hex(_ID_BYTES),
            tool=call.tool,
            arguments=dict(call.arguments),
            target=target.fingerprint,
            principal=call.principal,
            directory=directory,
            asked_by=asked_by,
            asked_at=now,
            expires=now + lifetime_seconds,
        )
        await self._create(approval.record_name, _APPROVAL.dump_json(approval), approval.expires)
        return approval

    def count_request(self, principal: str) -> None:
        """Count a question that is shown to a person. Raises Refused if there were too many in ten minutes."""
        count = self._requests.get(principal, 0)
        if count >= MAX_REQUESTS:
            raise Refused("a person was asked too often", advice="nothing was changed; call again in ten minutes")
        self._requests[principal] = count + 1

    async def find(self, call: GuardedCall, directory: str) -> Approval | None:
        """Return the approval that this very call asked for, decided or not; None if there is none or it was used."""
        for approval in await self._unused(directory):
            if approval.is_of(call):
                return approval
        return None

    async def pending(self, directory: str) -> list[Approval]:
        """Return the undecided approvals on a directory, the oldest first."""
        return [each for each in await self._unused(directory) if await self.decision_on(each) is None]

    async def get(self, directory: str, approval_id: str) -> Approval | None:
        """Return an approval, also one that was used or has expired, as long as the store keeps its record."""
        approval = await self._read(f"{_prefix_of(directory)}{approval_id}", _APPROVAL)
        return approval if approval and (approval.id, approval.directory) == (approval_id, directory) else None

    async def decision_on(self, approval: Approval) -> Decision | None:
        """Return the decision, if there is one."""
        decision = await self._read(approval.record_name + _DECISION, _DECIDED)
        return decision if decision and decision.approval == approval.id else None

    async def decide(self, approval: Approval, decision: Decision) -> bool:
        """Store a decision; return False if it comes too late, or if another one was made before."""
        if self.clock() >= approval.expires or await self._is_used(approval):
            return False
        name = approval.record_name + _DECISION
        is_first = await self._create(name, _DECIDED.dump_json(decision), approval.expires)
        self._has_changed.set()
        self._has_changed = anyio.Event()
        return is_first

    async def wait_for_decision(self, approval: Approval, seconds: float) -> Decision | None:
        """Wait for a decision, in this process or another one; return None if there is none in time."""
        with anyio.move_on_after(min(seconds, approval.expires - self.clock())):
            while True:
                if decision := await self.decision_on(approval):
                    return decision
                if await self._is_used(approval):  # another question of the same call replaced it
                    return None
                has_changed = self._has_changed
                with anyio.move_on_after(_POLL_SECONDS):
                    await has_changed.wait()
        return None

    async def use(self, approval: Approval) -> bool:
        """Use an approval up; return False if it was used before."""
        return await self._create(approval.record_name + _USED, b"{}", approval.expires)

    async def _unused(self, directory: str) -> list[Approval]:
        """Return the approvals that are neither used nor expired, the oldest first."""
        names = set(await self._store.names(_prefix_of(directory)))
        ids = [name for name in names if not name.endswith((_DECISION, _USED)) and name + _USED not in names]
        found = [await self._read(name, _APPROVAL) for name in ids]
        now = self.clock()
        usable = [each for each in found if each and each.directory == directory and each.expires > now]
        return sorted(usable, key=lambda each: each.asked_at)

    async def _is_used(self, approval: Approval) -> bool:
        return await self._store.read(approval.record_name + _USED) is not None

    async def _create(self, name: str, content: bytes, expires: float) -> bool:
        return await self._store.create(name, self._seal.encrypt(name, content), expires)

    async def _read(self, name: str, adapter: TypeAdapter[R]) -> R | None:
        """Return a record; None if there is none, or if it was not written by a server with this key."""
        stored = await self._store.read(name)
        content = None if stored is None else self._seal.decrypt(name, stored)
        if content is None:
            return None
        try:
            return adapter.validate_json(content)
        except ValidationError:
            return None


def _prefix_of(directory: str) -> str:
    """Return what the names of a directory's records begin with; a directory's name may be a caller."""
    return f"{sha256(directory.encode()).hexdigest()[:16]}-"
