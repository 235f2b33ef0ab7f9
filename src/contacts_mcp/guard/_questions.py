"""The question that a person is asked, and which answer counts as a yes.

The question is built from the directory's record of the target. Every value is quoted and shortened, so that a name
cannot look like part of the question. Notes are never shown: a sentence is easily hidden in them.
"""

import hashlib
import json
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contacts_mcp.contract import ContactsError, Risk
from contacts_mcp.guard._values import ValueChange, join_values, quote_changes, quote_new_values
from contacts_mcp.text import quote

KEEP_CHOICE = "keep"  # the form's default choice, which declines the call
_MAX_TYPED_FACTOR, _MAX_TYPED_EXTRA = 4, 100  # accents may be characters of their own
_MAX_CHANGES_LENGTH = 2_000  # characters of old and new values
_MAX_VALUES_LENGTH = 1_500  # characters of a guarded write's values; a person cannot judge more than that


class Refused(ContactsError):
    """The guard refused the call, and nothing was changed. The message never says how to bypass the guard."""

    code = "refused"


@dataclass(frozen=True, slots=True)
class Choice:
    """A further record that a person can include in an erasure: its id, what names it, and all that is known of it."""

    id: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Choices:
    """Further records that a call reaches only if a person chooses them.

    Attributes:
        argument: the argument of the tool that takes their ids, if the host cannot show a form.
        reason: why they are offered, as the beginning of a sentence.
        items: the records that can be chosen.
        more: what a person should know of those that are not offered.
    """

    argument: str
    reason: str
    items: Sequence[Choice] = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The record that a call changes, as the directory has it now.

    Attributes:
        label: names the record for a person.
        effect: what the call does to it.
        fingerprint: differs as soon as the record or one of the choices differs.
        phrase: what a person has to type before an erasure.
        choices: further records that the person can include in an erasure.
        changes: the fields of the record that a guarded WRITE changes, which the question quotes.
    """

    label: str
    effect: str
    fingerprint: str
    phrase: str = ""
    choices: Choices | None = None
    changes: Sequence[ValueChange] = ()


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
        details: the values that a guarded WRITE sets, which the question quotes; a target with changes needs none.
        wording: replaces the wording that goes with the risk.
        choose: gets the ids of the choices that the person included, before the call is allowed to run.
        needs_consent: whether a person has to agree even if the tool and its risk do not require it.
    """

    tool: str
    risk: Risk
    arguments: Mapping[str, Any]
    principal: str
    read_target: Callable[[], Awaitable[Target]]
    details: Mapping[str, Any] = field(default_factory=dict)
    wording: PromptWording | None = None
    choose: Callable[[Sequence[str]], None] = lambda _: None
    needs_consent: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A message and a form (a JSON schema), to be answered within `lifetime_seconds`; the answer returns `state`.

    `prompt` has the message in parts; `tool` and `arguments` are those of the call that the question is about.
    """

    message: str
    form: Mapping[str, Any]
    state: str
    lifetime_seconds: float
    prompt: "Prompt"
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a person reads and can answer, in parts: a form's message joins them, a page lays them out.

    Attributes:
        verb: what the call does, such as "Delete".
        label: names the record.
        effect: what happens, in lines; a line of a list begins with "- ".
        choices: further records that the person can include.
        values: the quoted new values of a guarded WRITE, by field.
        changes: the quoted old and new values of a guarded WRITE, by field.
        phrase: what the person has to type to agree; empty if the word `yes` is enough.
        yes: the choice that means yes.
    """

    verb: str
    label: str
    effect: Sequence[str]
    choices: Choices
    values: Mapping[str, str]
    changes: Mapping[str, str]
    phrase: str
    yes: str

    @property
    def warning(self) -> str:
        """What to know of an erasure; empty for other calls."""
        return "This cannot be undone." if self.phrase else ""


def build_prompt(call: GuardedCall, target: Target) -> Prompt:
    """Build what a person reads. Raises Refused if the effect is too long to show."""
    wording = _wording_of(call)
    is_erasure = call.risk is Risk.ERASE
    values, changes = _quote_written(call, target) if call.risk is Risk.WRITE else ({}, {})
    return Prompt(
        verb=wording.verb,
        label=target.label,
        effect=target.effect.split("\n"),
        choices=target.choices or Choices("", ""),
        values=values,
        changes=changes,
        phrase=target.phrase if is_erasure else "",
        yes="" if is_erasure else wording.yes,
    )


def build_question(call: GuardedCall, target: Target, state: str, lifetime_seconds: float) -> Question:
    """Build the question. Its form has a required field, so that a host that submits empty forms says no.

    Raises Refused if the effect is too long to show.
    """
    prompt = build_prompt(call, target)
    message = _to_message(prompt, "tick a record below to erase it as well")
    properties: dict[str, Any] = {}
    if prompt.phrase:
        message += f"\nTo erase, type {quote(prompt.phrase, len(prompt.phrase))}."
        name = "typed"
        properties |= _choice_schemas(target)
        schema: dict[str, Any] = {"type": "string", "title": "Type the quoted text to erase", "minLength": 1}
    else:
        name = "decision"
        choices = [KEEP_CHOICE, prompt.yes]
        schema = {"type": "string", "title": "Decision", "enum": choices, "default": KEEP_CHOICE}
    form = {"type": "object", "properties": {**properties, name: schema}, "required": [name]}
    return Question(message, form, state, lifetime_seconds, prompt, call.tool, call.arguments)


def describe_preview(call: GuardedCall, target: Target) -> str:
    """Describe the effect for a host without forms, where the ids of chosen records come with another call.

    Raises Refused if the effect is too long to show.
    """
    argument = target.choices.argument if target.choices else ""
    return _to_message(build_prompt(call, target), f"a call with their ids in {argument} asks about those, too")


def _to_message(prompt: Prompt, how_to_choose: str) -> str:
    lines = [f"{prompt.verb}: {prompt.label}?", *prompt.effect]
    if prompt.choices.items:
        lines.append(f"{prompt.choices.reason}. They stay; {how_to_choose}:")
        lines += [f"{number}. {each.description}" for number, each in enumerate(prompt.choices.items, 1)]
    if prompt.choices.more:
        lines.append(prompt.choices.more)
    if prompt.values:
        lines.append(f"It would set {join_values(prompt.values)}.")
    if prompt.changes:
        lines.append(f"It would change {join_values(prompt.changes)}.")
    return "\n".join([*lines, prompt.warning] if prompt.warning else lines)


def _choice_schemas(target: Target) -> dict[str, Any]:
    """Return a field for each choice, which is off by default. Its title names the record, as the message does."""
    items = target.choices.items if target.choices else ()
    return {
        choice_field(number): {
            "type": "boolean",
            "title": f"Also erase {number}: {each.name}",
            "description": f"id {each.id}",
            "default": False,
        }
        for number, each in enumerate(items, 1)
    }


def choice_field(number: int) -> str:
    """Return the name of the answer's field that includes a choice; the first one is 1."""
    return f"also_{number}"


def chosen_ids(target: Target, content: Mapping[str, Any] | None) -> list[str]:
    """Return the ids of the choices that an accepted form includes."""
    items = target.choices.items if target.choices else ()
    answer = content or {}
    return [each.id for number, each in enumerate(items, 1) if answer.get(choice_field(number)) is True]


def fill_form(call: GuardedCall, target: Target, *, typed: str, also: Collection[str]) -> dict[str, Any] | None:
    """Return the form as a person fills it in who agrees; None if a record that they include is not offered.

    `typed` is what they typed for an erasure, `also` the ids of the further records.
    """
    items = target.choices.items if target.choices else ()
    fields = {each.id: choice_field(number) for number, each in enumerate(items, 1)}
    if not fields.keys() >= set(also):
        return None
    answer = {"typed": typed} if call.risk is Risk.ERASE else {"decision": _wording_of(call).yes}
    return {**answer, **{fields[each]: True for each in also}}


def is_yes(call: GuardedCall, target: Target, content: Mapping[str, Any] | None) -> bool:
    """Whether an accepted form says yes; an empty or wrong form does not."""
    answer = content or {}
    if call.risk is Risk.ERASE:
        typed = answer.get("typed")
        ticked = [answer[name] for name in _choice_schemas(target) if answer.get(name) is not None]
        if not all(isinstance(each, bool) for each in ticked):
            return False  # what was chosen is unclear
        return isinstance(typed, str) and _is_phrase(typed, target.phrase)
    return answer.get("decision") == _wording_of(call).yes


def hash_json(value: Any) -> str:
    """Hash JSON data. The order of keys makes no difference; absent, null and "" do."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _quote_written(call: GuardedCall, target: Target) -> tuple[dict[str, str], dict[str, str]]:
    """Return the quoted new values of a guarded WRITE, and the old and new ones. Raises Refused if that is too long."""
    values, changes = quote_new_values(call.details), quote_changes(target.changes)
    if len(join_values(values)) > _MAX_VALUES_LENGTH or len(join_values(changes)) > _MAX_CHANGES_LENGTH:
        advice = "nothing was changed; change less in one call"
        raise Refused("the values are too long to show to a person", advice=advice)
    return values, changes


def _wording_of(call: GuardedCall) -> PromptWording:
    return call.wording or _WORDING_BY_RISK.get(call.risk) or PromptWording(f"Allow {call.tool}", "change")


_WORDING_BY_RISK = {Risk.DESTROY: PromptWording("Delete", "delete"), Risk.ERASE: PromptWording("Erase permanently", "")}


def _is_phrase(typed: str, phrase: str) -> bool:
    """Whether a person typed the phrase. Text that is far too long is not looked at: to normalize it takes long."""
    is_likely = len(typed) <= _MAX_TYPED_FACTOR * len(phrase) + _MAX_TYPED_EXTRA
    return is_likely and _normalize_phrase(typed) == _normalize_phrase(phrase)


def _normalize_phrase(text: str) -> str:
    """Ignore how a name is spaced, how its accents are encoded, invisible characters, and which quotes it has."""
    return quote(unicodedata.normalize("NFC", text), len(text))
