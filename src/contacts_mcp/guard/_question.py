"""What a person is asked, and what counts as a yes.

Built from what the directory says about the target, quoted and cut, so that a name cannot pass for the question.
Notes never appear: they are the easiest place to hide a sentence in.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contacts_mcp.contract import ContactsError, Risk
from contacts_mcp.guard._guarded_call import GuardedCall, Target
from contacts_mcp.text import quote, sanitize

KEEP = "keep"
_SHOWN_DETAILS = 1_500
"""Characters of what a guarded write sets; of more than that nobody can judge."""


class Refused(ContactsError):
    """A guarded tool did not run, and nothing was changed. It never says how a person could be gone round."""

    code = "refused"


@dataclass(frozen=True, slots=True)
class Question:
    """A message and the form to answer it with, within `lifetime_seconds`; `state` comes back with the answer."""

    message: str
    form: Mapping[str, Any]
    state: str
    lifetime_seconds: float


def asked(call: GuardedCall, target: Target) -> str:
    """The question a person reads before deciding in a form."""
    if call.risk is not Risk.ERASE:
        return previewed(call, target)
    return f"{previewed(call, target)}\nTo erase, type {quote(target.phrase, len(target.phrase))}."


def previewed(call: GuardedCall, target: Target) -> str:
    """What would be done, to what. Raises Refused where it is more than can be shown."""
    lines = [f"{call.asked_as.verb}: {target.label}?", target.effect]
    if call.risk is Risk.WRITE and call.details:
        lines.append(f"It would set {_details(call.details)}.")
    if call.risk is Risk.ERASE:
        lines.append("This cannot be undone.")
    return "\n".join(lines)


def form(call: GuardedCall) -> dict[str, Any]:
    """A required field, so that a host which accepts empty forms by itself has not said yes."""
    if call.risk is Risk.ERASE:
        field = {"type": "string", "title": "Type what the question names, to erase", "minLength": 1}
        return {"type": "object", "properties": {"typed": field}, "required": ["typed"]}
    choices = [KEEP, call.asked_as.yes]
    field = {"type": "string", "title": "Decision", "enum": choices, "default": KEEP}
    return {"type": "object", "properties": {"decision": field}, "required": ["decision"]}


def is_yes(call: GuardedCall, target: Target, content: Mapping[str, Any] | None) -> bool:
    """Whether an accepted form says yes: an empty or wrong one does not."""
    answer = content or {}
    if call.risk is Risk.ERASE:
        typed = answer.get("typed")
        return isinstance(typed, str) and _as_typed(typed) == _as_typed(target.phrase)
    return answer.get("decision") == call.asked_as.yes


def is_no(content: Mapping[str, Any] | None) -> bool:
    """Whether an accepted form says to keep what there is: a decision, not a slip."""
    return KEEP in (content or {}).values()


def _as_typed(text: str) -> str:
    """Two writings of one name: spaces around and between, how accents are encoded and what is invisible may differ."""
    return " ".join(sanitize(unicodedata.normalize("NFC", text), len(text)).split())


def _details(details: Mapping[str, Any]) -> str:
    shown = "; ".join(f"{name}: {_shown(name, value)}" for name, value in details.items())
    if len(shown) > _SHOWN_DETAILS:
        raise Refused(
            "this is more than a person can be shown at once", advice="nothing was changed; ask for less in one call"
        )
    return shown


def _shown(name: str, value: Any) -> str:
    if name == "notes":
        return f"{len(str(value))} characters"
    if isinstance(value, list):
        return ", ".join(_shown("", item) for item in value)
    text = str(value)
    hidden = len(text) - len(sanitize(text, len(text)))
    return quote(text, len(text)) + (f" [+{hidden} hidden characters]" if hidden else "")
