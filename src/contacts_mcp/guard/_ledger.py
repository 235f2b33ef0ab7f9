"""Used answers, remembered for as long as they could be replayed."""

import time
from collections.abc import Callable
from typing import Protocol

from contacts_mcp.contract import ContactsError


class NonceStoreUnavailable(ContactsError):
    """Whether an answer was used before cannot be told, so that it does not count."""

    code = "ledger_unavailable"
    advice = "nothing was changed; try again later"

    def __init__(self) -> None:
        super().__init__("whether the answer was used before cannot be told now")


class NonceStore(Protocol):
    """Lets each nonce through once, on this server or on all that share the ledger."""

    async def spend(self, nonce: str, expires: float) -> bool:
        """Whether this is the first use. `expires` is in seconds since 1970.

        Raises:
            NonceStoreUnavailable: nobody can tell.
        """
        ...


class MemoryNonceStore:
    """The ledger of one process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._spent: dict[str, float] = {}
        self._clock = clock

    async def spend(self, nonce: str, expires: float) -> bool:
        """Whether this is the first use. Nothing is awaited between the look and the entry."""
        self._forget_expired()
        if nonce in self._spent:
            return False
        self._spent[nonce] = expires
        return True

    def _forget_expired(self) -> None:
        """Touches only what it removes; an entry behind one that expires later waits for that one."""
        now = self._clock()
        while self._spent and (oldest := next(iter(self._spent.items())))[1] <= now:
            del self._spent[oldest[0]]
