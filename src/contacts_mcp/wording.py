"""Words for people: counts with their nouns, times in the local zone, and the nearest of several names."""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from difflib import get_close_matches

_ABBREVIATION = re.compile(r"[A-Z]{2,5}")
_MIN_SIMILARITY = 0.6
_MAX_LISTED = 20


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as `1 contact` or `1,200 contacts`; `plural` is by default the noun and s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def local_time(moment: datetime | str, *, seconds: bool = False) -> str:
    """Return a time for a person, in the zone of this machine, such as `2026-11-29 07:12 CET`.

    A text is a time in ISO 8601, by default in UTC. One that is not is returned as it is: it may come from a file.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return str(moment)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        local = aware.astimezone()
    except (OverflowError, OSError, ValueError):  # a year that the system's clock does not know
        local = aware.astimezone(UTC)
    return f"{local:{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}} {_zone(local)}"


def _zone(moment: datetime) -> str:
    """Return the abbreviation of a time's zone; zones without a short one are shown by their offset."""
    name = moment.tzname() or ""
    return name if _ABBREVIATION.fullmatch(name) else f"UTC{moment:%z}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a misspelled one, if any is similar."""
    by_folded = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), by_folded, n=1, cutoff=_MIN_SIMILARITY)
    return by_folded[found[0]] if found else None


def unknown_name(what: str, name: str, known: Collection[str]) -> str:
    """Return the error for a name that does not exist: it suggests the nearest, or lists what exists.

    >>> unknown_name("tenant", "olla", ["ola", "kari"])
    'there is no tenant "olla"; did you mean "ola"?'
    """
    if near := nearest(name, known):
        return f'there is no {what} "{name}"; did you mean "{near}"?'
    shown = ", ".join(sorted(known)[:_MAX_LISTED])
    more = ", …" if len(known) > _MAX_LISTED else ""
    return f'there is no {what} "{name}"' + (f"; there are {shown}{more}" if shown else "")
