"""Times as the API writes them: RFC 3339, UTC, microseconds, `Z`."""

from datetime import UTC, datetime, timedelta


def now() -> str:
    """Return the current time, such as `2025-01-15T09:30:00.000000Z`."""
    return format_time(datetime.now(UTC))


def now_after(earlier: str) -> str:
    """Return the current time, or 1 µs after `earlier` if the clock was set back: a change always moves the time on."""
    return max(now(), format_time(datetime.fromisoformat(earlier) + timedelta(microseconds=1)))


def format_time(time: datetime) -> str:
    """Return a time as the API writes it."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")
