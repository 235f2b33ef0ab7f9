"""The question that a person is asked, and which answer counts as a yes.

The question is built from the directory's record of the target. Every value is quoted and shortened, so that a name
cannot look like part of the question. Notes are never shown: a sentence is easily hidden in them.
"""

import hashlib
import json
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contacts_mcp.contract import ContactsError, Risk
from contacts_mcp.text import quote, sanitize

KEEP_CHOICE = "keep"  # the form's default choice, which declines the call
_MAX_DETAILS_LENGTH = 1_500  # characters of a guarded write's values; a person cannot judge more than that


class Refused(ContactsError):
    """The guard refused the call, and nothing was changed. The message never says how to bypass the guard."""

    code = "refused"


@dataclass(frozen=True, slots=True)
class Target:
    """The record that a call changes, as the directory has it now.

    Attributes:
        label: names the record for a person.
        effect: what the call does to it.
        fingerprint: differs as soon as the record differs.
        phrase: what a person has to type before an erasure.
    """

    label: str
    effect: str
    fingerprint: str
    phrase: str = ""


@dataclass(frozen=True, slots=True)
class PromptWording:
    """The verb that the question begins with, and the form's choice that means yes."""

    verb: str
    yes: str


@dataclass(frozen=True, slots=True)
class GuardedCall:
    """A tool call that may need consent.

    Attributes:
        read_target: reads the target's current record; the guard calls it for the question and again for the answer.
        details: the values that a guarded WRITE sets, which the question quotes.
        wording: replaces the wording that goes with the risk.
    """

    tool: str
    risk: Risk
    arguments: Mapping[str, Any]
    principal: str
    read_target: Callable[[], Awaitable[Target]]
    details: Mapping[str, Any] = field(default_factory=dict)
    wording: PromptWording | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A message and a form (a JSON schema), to be answered within `lifetime_seconds`; the answer returns `state`."""

    message: str
    form: Mapping[str, Any]
    state: str
    lifetime_seconds: float


def build_question(call: GuardedCall, target: Target, state: str, lifetime_seconds: float) -> Question:
    """Build the question. Its form has a required field, so that a host that submits empty forms says no.

    Raises Refused if the effect is too long to show.
    """
    message = describe_effect(call, target)
    if call.risk is Risk.ERASE:
        message += f"\nTo erase, type {quote(target.phrase, len(target.phrase))}."
        name = "typed"
        schema: dict[str, Any] = {"type": "string", "title": "Type the quoted text to erase", "minLength": 1}
    else:
        name = "decision"
        choices = [KEEP_CHOICE, _wording_of(call).yes]
        schema = {"type": "string", "title": "Decision", "enum": choices, "default": KEEP_CHOICE}
    form = {"type": "object", "properties": {name: schema}, "required": [name]}
    return Question(message, form, state, lifetime_seconds)


def describe_effect(call: GuardedCall, target: Target) -> str:
    """Describe what the call does to its target. Raises Refused if that is too long to show."""
    lines = [f"{_wording_of(call).verb}: {target.label}?", target.effect]
    if call.risk is Risk.WRITE and call.details:
        lines.append(f"It would set {_quote_details(call.details)}.")
    if call.risk is Risk.ERASE:
        lines.append("This cannot be undone.")
    return "\n".join(lines)


def is_yes(call: GuardedCall, target: Target, content: Mapping[str, Any] | None) -> bool:
    """Whether an accepted form says yes; an empty or wrong form does not."""
    answer = content or {}
    if call.risk is Risk.ERASE:
        typed = answer.get("typed")
        return isinstance(typed, str) and _normalize_phrase(typed) == _normalize_phrase(target.phrase)
    return answer.get("decision") == _wording_of(call).yes


def hash_json(value: Any) -> str:
    """Hash JSON data. The order of keys makes no difference; absent, null and "" do."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _wording_of(call: GuardedCall) -> PromptWording:
    return call.wording or _WORDING_BY_RISK.get(call.risk) or PromptWording(f"Allow {call.tool}", "change")


_WORDING_BY_RISK = {Risk.DESTROY: PromptWording("Delete", "delete"), Risk.ERASE: PromptWording("Erase permanently", "")}


def _normalize_phrase(text: str) -> str:
    """Ignore how a name is spaced, how its accents are encoded, invisible characters, and which quotes it has."""
    return quote(unicodedata.normalize("NFC", text), len(text))


def _quote_details(details: Mapping[str, Any]) -> str:
    quoted = "; ".join(f"{name}: {_quote_value(name, value)}" for name, value in details.items())
    if len(quoted) > _MAX_DETAILS_LENGTH:
        advice = "nothing was changed; change less in one call"
        raise Refused("the values are too long to show to a person", advice=advice)
    return quoted


def _quote_value(name: str, value: Any) -> str:
    if name == "notes":
        return f"{len(str(value))} characters"
    if isinstance(value, list):
        return ", ".join(_quote_value("", item) for item in value)
    text = str(value)
    hidden = len(text) - len(sanitize(text, len(text)))
    return quote(text, len(text)) + (f" [+{hidden} hidden characters]" if hidden else "")
