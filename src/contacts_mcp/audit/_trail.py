"""One trail over all the places it goes to: a record is sealed by the chain, and then told to everybody else."""

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio

from contacts_mcp.audit._record import End, Record, seal
from contacts_mcp.contract import ContactsError

PATIENCE = 5.0
"""Seconds that each place gets to take a record."""

T = TypeVar("T")


class Unwritable(Exception):
    """A place did not take a record; says why, in a few words for the operator."""


class TrailUnavailable(ContactsError):
    """A record was not taken everywhere it should go.

    `why` is for the operator, and nothing that a caller could use; `seq` is the record's number where it got one.
    """

    code = "trail_unavailable"
    advice = "nothing was changed; the operator has to mend the trail"

    def __init__(self, why: Sequence[str], seq: int | None = None) -> None:
        super().__init__("the audit trail cannot be written, and what leaves no record there is not done")
        self.why = "; ".join(why)
        self.seq = seq


class Chain(Protocol):
    """Where records are put in order."""

    @property
    def path(self) -> Path | None:
        """The file that they are written to, if it is one."""
        ...

    async def append(self, says: Mapping[str, Any], *, durable: bool) -> Record:
        """Seal what a record says to the one before, and keep it, over a power cut where that is asked.

        Raises:
            Unwritable: it was not kept.
        """
        ...

    async def probe(self) -> None:
        """Look whether a record could be kept, and leave none. Raises Unwritable."""
        ...


class Listener(Protocol):
    """Who is told of records."""

    async def take(self, record: Record, *, durable: bool) -> None:
        """Take a record, and for good where that is asked. Raises Unwritable."""
        ...

    async def probe(self) -> None:
        """As Chain.probe."""
        ...

    @property
    def holds_back(self) -> bool:
        """Whether something may be left to send."""
        ...

    def close(self) -> None:
        """Send what is left; it may take its time."""
        ...


class ChainInMemory:
    """The chain of one process, for a trail that is in no file: each process begins one of its own."""

    path = None

    def __init__(self) -> None:
        self._end = End()

    async def append(self, says: Mapping[str, Any], *, durable: bool) -> Record:  # noqa: ARG002 - others keep it
        """See Chain."""
        record = seal(says, self._end)
        self._end = End(record["seq"], record["hash"])
        return record

    async def probe(self) -> None:
        """It takes whatever there is."""

    def __str__(self) -> str:
        return "a chain of each process's own"


class Trail:
    """Records go into `chain`, and with their place in it to all the `listeners`."""

    def __init__(self, chain: Chain, listeners: Sequence[Listener] = ()) -> None:
        self._chain = chain
        self._listeners = listeners

    async def write(self, says: Mapping[str, Any], *, durable: bool = False) -> Record:
        """Have everybody take a record. Nothing cuts that off, whatever becomes of the call that it is about.

        Raises:
            TrailUnavailable: somebody did not take it; who could has it, without a number where the chain did not.
        """
        faults: list[str] = []
        record = await _settled(self._chain, self._chain.append(says, durable=durable), faults) or dict(says)
        for listener in self._listeners:
            await _settled(listener, listener.take(record, durable=durable), faults)
        if faults:
            raise TrailUnavailable(faults, record.get("seq"))
        return record

    async def probe(self) -> None:
        """Look whether a record could be written, and leave none. Raises TrailUnavailable."""
        faults: list[str] = []
        await _settled(self._chain, self._chain.probe(), faults)
        for listener in self._listeners:
            await _settled(listener, listener.probe(), faults)
        if faults:
            raise TrailUnavailable(faults)

    @property
    def file(self) -> Path | None:
        """The file that it is in, if it is in one."""
        return self._chain.path

    @property
    def holds_back(self) -> bool:
        """Whether something may be left to send."""
        return any(listener.holds_back for listener in self._listeners)

    def close(self) -> None:
        """Send what is left; it may take its time."""
        for listener in self._listeners:
            listener.close()

    def __str__(self) -> str:
        return " and ".join(map(str, (self._chain, *self._listeners)))


async def _settled(place: Chain | Listener, work: Awaitable[T], faults: list[str]) -> T | None:
    """What comes of work that nothing cuts off but time; of what does not, `faults` gets the reason."""
    with anyio.move_on_after(PATIENCE, shield=True):
        try:
            return await work
        except Unwritable as exc:
            faults.append(f"{place}: {exc}")
            return None
    faults.append(f"{place}: it took more than {PATIENCE:.0f} seconds")
    return None
