"""A simulated person who answers the forms of a server as a task says."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from contacts_mcp.text import fold
from evals.task import Refusal, Task

_NO = {"keep", "no", "cancel", "false", "reject", "decline", "abort"}
_TO_TYPE = re.compile(r'type "([^"]+)"')
_READING_SECONDS = 1.2
"""A person reads before they refuse; a server may take a form that is declined at once for one that was never shown."""
_MISTYPED = "something else"


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the server, whether the person said yes, and whether it was about what the task allows."""

    message: str
    is_agreed: bool
    is_expected: bool


class Person:
    """Answers each question by the parts that it contains, and remembers it."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.questions: list[Question] = []

    async def answer(
        self, message: str, _response_type: object, params: ElicitRequestParams, _context: object
    ) -> ElicitResult:
        """Answer a question; the signature is that of FastMCP's elicitation handlers."""
        agrees = _contains(message, (*self._task.agrees, *self._task.may_agree))
        expected = agrees or _contains(message, (*self._task.refuses, *self._task.may_refuse))
        self.questions.append(Question(message, agrees, expected))
        if not isinstance(params, ElicitRequestFormParams):
            return ElicitResult(action="decline")
        schema = params.requested_schema
        if agrees:
            return _agree(message, schema)
        await anyio.sleep(_READING_SECONDS)
        return _refuse(self._task.refusal, schema)


def _contains(message: str, parts: Iterable[str]) -> bool:
    return any(fold(part) in fold(message) for part in parts)


def _agree(message: str, schema: Mapping[str, Any]) -> ElicitResult:
    required = schema.get("required", schema["properties"])
    content = {name: _yes(message, field) for name, field in schema["properties"].items() if name in required}
    return ElicitResult(action="accept", content=content)


def _yes(message: str, field: Mapping[str, Any]) -> Any:
    """Return the value of a form's field that means yes."""
    if choices := field.get("enum"):
        return next((choice for choice in choices if choice.lower() not in _NO), choices[-1])
    if field.get("type") == "boolean":
        return True
    to_type = _TO_TYPE.search(message)
    return to_type[1] if to_type else "yes"


def _refuse(how: Refusal, schema: Mapping[str, Any]) -> ElicitResult:
    fields: Mapping[str, Mapping[str, Any]] = schema["properties"]
    match how:
        case "declines":
            return ElicitResult(action="decline")
        case "closes":
            return ElicitResult(action="cancel")
        case "keeps":
            defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
            return ElicitResult(action="accept", content=defaults)
        case "mistypes":
            typed: dict[str, Any] = {name: _MISTYPED for name, field in fields.items() if _is_text(field)}
            return ElicitResult(action="accept", content=typed)


def _is_text(field: Mapping[str, Any]) -> bool:
    return field.get("type") == "string" and "enum" not in field
