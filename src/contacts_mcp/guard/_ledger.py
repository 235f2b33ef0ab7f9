"""Used answers, remembered for as long as they could be replayed."""

import time
from collections.abc import Callable


class Ledger:
    """Lets each nonce through once."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._spent: dict[str, float] = {}
        self._clock = clock

    def spend(self, nonce: str, expires: float) -> bool:
        """Whether this is the first use. Nothing is awaited between the look and the entry."""
        self._forget_expired()
        if nonce in self._spent:
            return False
        self._spent[nonce] = expires
        return True

    def _forget_expired(self) -> None:
        """Entries are in order of expiry, so that this touches only what it removes."""
        now = self._clock()
        while self._spent and (oldest := next(iter(self._spent.items())))[1] <= now:
            del self._spent[oldest[0]]
