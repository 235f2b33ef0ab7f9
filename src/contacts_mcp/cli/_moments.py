"""How an operator writes how long ago something was."""

import re
from datetime import UTC, datetime, timedelta

_AGE = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str, option: str) -> timedelta:
    """Read `12h`, `30d` or `4w`. Raises ValueError."""
    match = _AGE.fullmatch(text)
    if not match:
        raise ValueError(f"{option} accepts a number of hours, days or weeks, such as 12h, 30d or 4w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_moment(text: str, option: str) -> datetime:
    """Read an age, or a day or a time as ISO 8601 has them, in UTC where they do not say. Raises ValueError."""
    if _AGE.fullmatch(text):
        return datetime.now(UTC) - parse_age(text, option)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{option} accepts a day or time such as 2026-11-24T10:00, or an age such as 12h or 30d"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
