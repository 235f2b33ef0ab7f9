"""Answers as a model reads them: compact, neutralised, bounded."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json

from contacts_mcp.text import sanitize
from contacts_mcp.tools._answers import ShortAnswer

STRING_LIMIT = 2_000
"""Characters of one value that are shown."""
NOTES_LIMIT = 12_000
"""Characters of a note that are shown: whoever adds to a note has to have read all of it."""
ANSWER_LIMIT = 40_000
"""Characters of one answer, about 12,000 tokens of contacts; hosts cut at 25,000 tokens."""
SHORT_LIMIT = 4_000
"""Tokens of an answer that is to be short."""
_LETTERS_A_TOKEN = 1.5
"""Characters of ids and other plain text that a token holds at the least, on average."""
_SHORTER = {False: "too long; ask again with a smaller per_page", True: "too long; ask about fewer"}


def render(answer: BaseModel) -> tuple[dict[str, Any], str]:
    """The answer as structured content and as the same thing in text, without nulls."""
    data = _neutral(answer.model_dump(mode="json", exclude_none=True, exclude_unset=True))
    short = isinstance(answer, ShortAnswer)
    return _bounded(data, tokens_at_most if short else len, SHORT_LIMIT if short else ANSWER_LIMIT, _SHORTER[short])


def tokens_at_most(text: str) -> int:
    """How many tokens a text can have; what is no ASCII may take one for each byte."""
    plain = sum(map(str.isascii, text)) if not text.isascii() else len(text)
    return int(plain / _LETTERS_A_TOKEN) + len(text.encode()) - plain


def _bounded(data: dict[str, Any], size: Callable[[str], int], limit: int, advice: str) -> tuple[dict[str, Any], str]:
    text = _compact(data)
    while size(text) > limit and any(value for value in data.values() if isinstance(value, list)):
        data = _shortened(data, limit / size(text), advice)
        text = _compact(data)
    return data, text


def _compact(data: dict[str, Any]) -> str:
    return to_json(data).decode()


def _neutral(value: Any, limit: int = STRING_LIMIT) -> Any:
    if isinstance(value, str):
        return sanitize(value, limit)
    if isinstance(value, dict):
        return {key: _neutral(item, NOTES_LIMIT if key == "notes" else STRING_LIMIT) for key, item in value.items()}
    return [_neutral(item) for item in value] if isinstance(value, list) else value


def _shortened(data: dict[str, Any], share: float, advice: str) -> dict[str, Any]:
    """Leave out the end of the longest list, and say how many rows are missing."""
    name = max((key for key in data if isinstance(data[key], list)), key=lambda key: len(_compact({key: data[key]})))
    rows = data[name]
    kept = min(len(rows) - 1, int(len(rows) * share))
    left_out = data.get("left_out", 0) + len(rows) - kept
    around = {key: value for key, value in data.items() if key != "next_page"}  # it would lead past what is left out
    return {**around, name: rows[:kept], "left_out": left_out, "note": advice}
