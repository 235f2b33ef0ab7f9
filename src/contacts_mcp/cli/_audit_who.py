"""`contacts-mcp audit who`: which caller of the trail a key or a person is, and what they did."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from contacts_mcp.audit import CallerActivity, issuers_of
from contacts_mcp.cli._location import locate, run_on
from contacts_mcp.pseudonyms import key_pseudonym, subject_pseudonym
from contacts_mcp.settings import load_settings
from contacts_mcp.text import sanitize_line
from contacts_mcp.wording import count, local_time

if TYPE_CHECKING:
    from contacts_mcp.directory import ApiKey

_KEY_START = "wayscloud_"
_PSEUDONYMS = ("key:", "oauth:")
_LOCAL = "local"
_MAX_NAME_CHARACTERS = 100


class FoundCaller(NamedTuple):
    """A caller: the pseudonym, who that is as far as is known, and the records."""

    caller: str
    description: str
    activity: CallerActivity

    def to_json(self) -> dict[str, Any]:
        found = self.activity
        calls = {tool: dict(outcomes) for tool, outcomes in found.calls.items()}
        period = {"records": found.records, "since": found.since, "until": found.until}
        return {"caller": self.caller, "description": self.description, **period, "calls": calls}

    def lines(self) -> Iterator[str]:
        """Describe the caller to a person."""
        found = self.activity
        yield f"{_shown(self.caller)} is {_shown(self.description)}"
        if not found.records:
            yield "  no records in this trail"
            return
        period = f"from {_shown(local_time(found.since or ''))} to {_shown(local_time(found.until or ''))}"
        yield f"  {count(found.records, 'record')} {period}"
        for tool, outcomes in sorted(found.calls.items()):
            yield f"  {_shown(tool)}: {', '.join(f'{number:,} {_shown(name)}' for name, number in outcomes.items())}"


def find_callers(who: str, activity: dict[str, CallerActivity], directory: str | None) -> list[FoundCaller]:
    """Return the callers that `who` may mean, those with records first.

    `who` is a key, the beginning of a directory key's prefix, a user's subject with or without `ISSUER#`, or a
    pseudonym; `-` reads one of these from standard input. Raises ValueError if no such caller is known.
    """
    text = sys.stdin.readline().strip() if who == "-" else who.strip()
    keys = _keys(directory)
    names = dict(_candidates(text, activity, keys))
    if not names:
        raise ValueError(_unknown(text))
    found = [FoundCaller(name, about, activity.get(name, CallerActivity())) for name, about in names.items()]
    return sorted(found, key=lambda each: not each.activity.records)


def _candidates(text: str, activity: dict[str, CallerActivity], keys: Sequence["ApiKey"]) -> Iterator[tuple[str, str]]:
    """Yield the pseudonyms that a text may stand for, each with a description."""
    known = {key.caller: _describe(key) for key in keys}
    if text.startswith(_KEY_START):
        name = key_pseudonym(text)
        yield name, known.get(name, "the user of this key")
    elif text == _LOCAL:
        yield text, "the host of a server over stdio, or a caller without a key on this machine"
    elif text.startswith(_PSEUDONYMS):
        if text in known or text in activity:
            yield text, known.get(text, _describe_unknown(text))
    elif text:
        yield from ((key.caller, _describe(key)) for key in keys if key.prefix.startswith(text))
        yield from _subjects(text, activity)


def _subjects(text: str, activity: dict[str, CallerActivity]) -> Iterator[tuple[str, str]]:
    """Yield the user of each issuer whose subject this is, if the trail has records of them."""
    configured = load_settings().oauth_issuer
    issuer, separator, subject = text.rpartition("#")
    issuers: set[str] = {*issuers_of(activity), *([configured] if configured else [])}
    pairs = [(each, text) for each in sorted(issuers)]
    pairs += [(issuer, subject)] if separator else []
    for each, name in pairs:
        pseudonym = subject_pseudonym(each, name)
        if pseudonym in activity:
            yield pseudonym, f"{name} at {each}"


def _keys(option: str | None) -> Sequence["ApiKey"]:
    """Return the keys of the directory; none if there is no directory and none was named."""
    location = locate(option)
    if isinstance(location, Path) and not location.exists():
        if option is not None:
            raise ValueError(f"there is no directory at {location}; name its file with --directory")
        return []
    return run_on(location, lambda opened: opened.list_keys())


def _describe(key: "ApiKey") -> str:
    state = f", revoked {local_time(key.revoked_at)}" if key.revoked_at else ""
    return f"the key {key.prefix} ({key.name}) of the tenant {key.tenant_name}{state}"


def _describe_unknown(pseudonym: str) -> str:
    if pseudonym.startswith("key:"):
        return "a key that is not in this directory"
    return "a user of this issuer; only the issuer's list of users can name them"


def _unknown(text: str) -> str:
    """Return the error for a text that means no caller; it may be a secret, so it is not repeated."""
    if text.startswith(_PSEUDONYMS):
        return "the trail has no records of this caller, and the directory has no such key; check the pseudonym"
    return (
        "no key of the directory begins like this, and no user with this subject has records in the trail; give a "
        "key's prefix, a user's subject, or a caller as the trail shows it, and name the directory with --directory"
    )


def _shown(text: str) -> str:
    return sanitize_line(text, _MAX_NAME_CHARACTERS)
