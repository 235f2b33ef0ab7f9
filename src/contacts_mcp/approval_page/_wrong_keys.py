"""How many wrong keys may be tried on the login page in a minute: with one beginning, from one address, and in all.

A key cannot be guessed; but each attempt asks the service, and who tries many must not keep others from logging in.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

MAX_OF_BEGINNING = 10
"""Wrong keys with the same first half from one address: those of a person who mistypes their own key."""
MAX_OF_ADDRESS = 100
"""Wrong keys from one address, which is that of many people if a proxy is not trusted."""
MAX_OF_ALL = 1_000
_WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A key that was counted as wrong: under which names, and in which minute."""

    names: tuple[str, str, str]
    window: int


class WrongKeys:
    """Counts wrong keys of the current minute; memory is bounded by MAX_OF_ALL."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._window = 0

    def count(self, address: str, key: str) -> Attempt | None:
        """Count an attempt as wrong until `forgive`, so that keys sent at once count as well.

        Returns None, and counts nothing, if there were too many.
        """
        window = int(self._clock() // _WINDOW_SECONDS)
        if window != self._window:
            self._counts.clear()
            self._window = window
        beginning = sha256(f"{address} {key[: len(key) // 2]}".encode(errors="replace")).hexdigest()
        names = (f"key {beginning}", f"address {address}", "all")
        limits = (MAX_OF_BEGINNING, MAX_OF_ADDRESS, MAX_OF_ALL)
        if any(self._counts[name] >= limit for name, limit in zip(names, limits, strict=True)):
            return None
        self._counts.update(names)
        return Attempt(names, window)

    def forgive(self, attempt: Attempt) -> None:
        """Take back an attempt with a key that was right, or could not be checked."""
        if attempt.window == self._window:
            self._counts.subtract(attempt.names)
            for name in attempt.names:
                if not self._counts[name]:
                    del self._counts[name]
