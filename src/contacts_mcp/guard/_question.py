"""What a person is asked, and what counts as a yes.

Built from what the directory says about the target, quoted and cut, so that a name cannot pass for the question.
Notes never appear: they are the easiest place to hide a sentence in.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contacts_mcp.contract import Risk
from contacts_mcp.guard._deed import Deed, Target
from contacts_mcp.text import quote

KEEP = "keep"
_YES = {Risk.WRITE: "change", Risk.DESTROY: "delete"}
_VERB = {Risk.WRITE: "Change", Risk.DESTROY: "Delete", Risk.ERASE: "Erase for good"}
_DETAIL_LIMIT = 100
_SHOWN_DETAILS = 10


@dataclass(frozen=True, slots=True)
class Question:
    """A message and the form to answer it with; `state` comes back with the answer."""

    message: str
    form: Mapping[str, Any]
    state: str


def message(deed: Deed, target: Target) -> str:
    """The sentence a person reads before deciding."""
    lines = [f"{_VERB[deed.risk]}: {target.label}?", target.effect]
    if deed.risk is Risk.WRITE:
        lines += [f"{deed.tool} with " + _details(deed.details)]
    if deed.risk is Risk.ERASE:
        lines.append(f"This cannot be undone. To erase, type {quote(target.phrase, len(target.phrase))}.")
    return "\n".join(lines)


def form(deed: Deed) -> dict[str, Any]:
    """A required field, so that a host which accepts empty forms by itself has not said yes."""
    if deed.risk is Risk.ERASE:
        field = {"type": "string", "title": "Type what the question names, to erase", "minLength": 1}
        return {"type": "object", "properties": {"typed": field}, "required": ["typed"]}
    choices = [KEEP, _YES[deed.risk]]
    field = {"type": "string", "title": "Decision", "enum": choices, "default": KEEP}
    return {"type": "object", "properties": {"decision": field}, "required": ["decision"]}


def is_yes(deed: Deed, target: Target, content: Mapping[str, Any] | None) -> bool:
    """Whether an accepted form says yes: an empty or wrong one does not."""
    answer = content or {}
    if deed.risk is Risk.ERASE:
        typed = answer.get("typed")
        return isinstance(typed, str) and _as_typed(typed) == _as_typed(target.phrase)
    return answer.get("decision") == _YES[deed.risk]


def _as_typed(text: str) -> str:
    """Two writings of one name: only surrounding and repeated spaces, and how accents are encoded, may differ."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _details(details: Mapping[str, Any]) -> str:
    shown = [f"{name}: {_shown(name, value)}" for name, value in list(details.items())[:_SHOWN_DETAILS]]
    return "; ".join(shown) or "no values"


def _shown(name: str, value: Any) -> str:
    if name == "notes":
        return f"{len(str(value))} characters"
    if isinstance(value, list):
        return f"{len(value)} entries: " + quote(", ".join(map(str, value)), _DETAIL_LIMIT)
    return quote(str(value), _DETAIL_LIMIT)
