"""A token bucket: how often somebody may do something."""

_LEAST_BURST = 10


class TokenBucket:
    """Is refilled by `per_minute` tokens a minute, and holds a sixth of them, but at least 10; all of it `times` over.

    No tokens a minute mean no limit. `now` is in seconds, of whatever clock.
    """

    __slots__ = ("_at", "_burst", "_level", "_per_second")

    def __init__(self, per_minute: float, now: float, *, times: int = 1) -> None:
        self._per_second = per_minute * times / 60
        self._level = self._burst = max(per_minute / 6, _LEAST_BURST) * times
        self._at = now

    def wait(self, now: float) -> float:
        """Take a token. Seconds until there is one where there is none: 0 means that it was taken."""
        if not self._per_second:
            return 0.0
        self._refill(now)
        if self._level < 1:
            return (1 - self._level) / self._per_second
        self._level -= 1
        return 0.0

    def is_full(self, now: float) -> bool:
        """Whether nothing was taken lately, so that a new one would be the same."""
        self._refill(now)
        return self._level >= self._burst

    def _refill(self, now: float) -> None:
        self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
        self._at = now
