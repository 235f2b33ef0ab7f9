"""A token bucket, for rate limits."""

_MIN_BURST = 10


class TokenBucket:
    """Gets `per_minute` tokens a minute and holds those of ten seconds, but at least 10; both `times` over.

    `per_minute` 0 is unlimited. `now` is in seconds, of any clock.
    """

    __slots__ = ("_at", "_burst", "_level", "_per_second")

    def __init__(self, per_minute: float, now: float, *, times: int = 1) -> None:
        self._per_second = per_minute * times / 60
        self._level = self._burst = max(per_minute / 6, _MIN_BURST) * times
        self._at = now

    def wait(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        if not self._per_second:
            return 0.0
        self._refill(now)
        if self._level < 1:
            return (1 - self._level) / self._per_second
        self._level -= 1
        return 0.0

    def is_full(self, now: float) -> bool:
        """Whether all tokens are back, so that a new bucket would be the same."""
        self._refill(now)
        return self._level >= self._burst

    def _refill(self, now: float) -> None:
        self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
        self._at = now
