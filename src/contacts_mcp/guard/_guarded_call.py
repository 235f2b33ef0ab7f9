"""What is to be done, to what, and how a person's consent to it came about."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contacts_mcp.contract import Risk


def digest(value: Any) -> str:
    """A digest of JSON data in which the order of keys does not count; absent, null and "" stay distinct."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Target:
    """What the directory says about a call's target.

    `label` names it for a person, `effect` says what the call does to it, `phrase` is what has to be typed where it is
    irreversible, `fingerprint` changes when the target does.
    """

    label: str
    effect: str
    phrase: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class PromptWording:
    """How a person is asked: the verb that the question begins with, and the word that is a yes to it."""

    verb: str
    yes: str


_ACTS = {Risk.DESTROY: PromptWording("Delete", "delete"), Risk.ERASE: PromptWording("Erase for good", "")}


@dataclass(frozen=True, slots=True)
class GuardedCall:
    """One tool call that may need consent. `read_target` reads the target afresh each time."""

    tool: str
    risk: Risk
    arguments: Mapping[str, Any]
    principal: str
    read_target: Callable[[], Awaitable[Target]]
    details: Mapping[str, Any] = field(default_factory=dict)
    """What a guarded WRITE would set, shown to the person as quoted data."""
    wording: PromptWording | None = None
    """Where the question is not the one that goes with the risk."""

    @property
    def asked_as(self) -> PromptWording:
        """How a person is asked about it."""
        return self.wording or _ACTS.get(self.risk) or PromptWording(f"Allow {self.tool}", "change")

    @property
    def digest(self) -> str:
        return digest(self.arguments)


class Consent(StrEnum):
    """How it came about that a call may run; the trail records it."""

    NONE_NEEDED = "none_needed"
    FORM = "form"  # the word was chosen in a form that the host showed
    FORM_TYPED = "form_typed"  # the target's name was typed into one
    TWO_STEP = "two_step_not_verified"  # a token came back; nothing says a person saw the preview
