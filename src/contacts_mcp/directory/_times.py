"""Times as the API writes them: RFC 3339, UTC, microseconds, `Z`."""

from datetime import UTC, datetime, timedelta


def now() -> str:
    """The present moment, such as `2025-01-15T09:30:00.000000Z`."""
    return write(datetime.now(UTC))


def now_after(earlier: str) -> str:
    """The present moment, or just after `earlier` where the clock was set back: a change always moves the time on."""
    return max(now(), write(datetime.fromisoformat(earlier) + timedelta(microseconds=1)))


def write(moment: datetime) -> str:
    """A moment as the API writes it."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
