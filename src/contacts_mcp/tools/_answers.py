"""Answers of tools: the types that several tools share, and how an answer is rendered and kept short."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import to_json

from contacts_mcp.contract import Contact, Record
from contacts_mcp.guard import ConsentWord
from contacts_mcp.text import sanitize, sanitize_line

MAX_STRING_LENGTH = 2_000  # characters of a value that are shown
MAX_NOTES_LENGTH = 12_000  # the same of notes: a model that adds to a note must have read all of it
MAX_ANSWER_LENGTH = 40_000  # characters of an answer, about 12,000 tokens of contacts; hosts cut at 25,000 tokens
MAX_PANEL_ANSWER_LENGTH = 75_000  # the same of an answer for a panel; a host gets it twice, as text and structured
MAX_SHORT_ANSWER_TOKENS = 4_000
_MIN_CHARACTERS_PER_TOKEN = 1.5  # the fewest characters that a token of ids and other plain text holds on average
_LINE_LENGTH = 60  # characters of a value in an answer with many values
_SUMMARY_FIELDS = ("name", "company_name", "phone_number", "email")


class Page(Record):
    """The position of a page in a list; `next_page` is absent on the last page."""

    total: int | None = None
    page: int | None = None
    per_page: int | None = None
    next_page: int | None = None
    left_out: int | None = Field(default=None, description="Rows of this page left out to keep the answer short.")
    note: str | None = None


class ShortAnswer(Record):
    """The answer of a workflow tool: a few thousand tokens at most, however many contacts it is about."""

    left_out: int | None = Field(default=None, description="Rows left out to keep the answer short.")


class PanelAnswer(Record):
    """The answer of a tool that a panel calls for a person: no model reads it, so it may be longer."""

    left_out: int | None = Field(default=None, description="Rows left out to keep the answer short.")


class FileAnswer(ShortAnswer):
    """An answer with a file, which can be fetched at `uri`, and by anyone who has the link at `url`."""

    uri: str | None = None
    url: str | None = Field(default=None, description="Link for the person to download the file within 15 minutes.")
    file: str | None = None
    mime_type: str | None = None
    bytes: int | None = None


class NotDone(Record):
    """The answer of a call that a person was asked about and did not agree to."""

    done: bool = Field(description="False: no person has agreed; nothing was changed, and reason says why.")
    reason: str = Field(description="Why nothing was changed.")


class ConsentReport(Record):
    """What the answer of a guarded change has besides the tool's own fields."""

    consent: ConsentWord = Field(
        description="person: a person agreed in a form; not needed: no person had to be asked; not verified: a token"
        " came back, which proves no person's consent."
    )


class SavedContact(Contact):
    """A contact as it is now."""

    information: list[str] | None = Field(default=None, description="What happened, such as a normalized number.")
    warnings: list[str] | None = Field(default=None, description="What the caller should check.")


class ContactSummary(Record):
    """Enough of a contact to recognize it."""

    id: str
    name: str | None = None
    company_name: str | None = None
    phone_number: str | None = None
    email: str | None = None


def summarize(contact: Contact, *fields: str) -> ContactSummary:
    """Summarize a contact: its id, and those of `fields` (default: all) that are not empty."""
    values = {name: one_line(getattr(contact, name, None)) for name in fields or _SUMMARY_FIELDS}
    return ContactSummary(id=contact.id, **{name: value for name, value in values.items() if value})


def one_line(text: str | None, limit: int = _LINE_LENGTH) -> str | None:
    """Shorten a value to one line; None if nothing is left."""
    return sanitize_line(text, limit) or None if text else None


def join_names(names: Sequence[str], limit: int = 5) -> str:
    """Join the first names, and say how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more:,} more" if more > 0 else "")


def next_page(page: int, per_page: int, shown: int, total: int | None) -> int | None:
    """The number of the next page; None if this page is the last."""
    has_more = page * per_page < total if total is not None else shown >= per_page
    return page + 1 if has_more and shown else None


def slice_page(rows: Sequence[Any], page: int, per_page: int) -> tuple[list[Any], dict[str, Any]]:
    """Cut one page out of a list that the API answers as a whole; return its rows and the fields of `Page`."""
    start = (page - 1) * per_page
    shown = list(rows[start : start + per_page])
    following = next_page(page, per_page, len(shown), len(rows))
    return shown, {"total": len(rows), "page": page, "per_page": per_page, "next_page": following}


def render(answer: BaseModel, report: ConsentReport | None = None) -> tuple[dict[str, Any], str]:
    """Render an answer as structured content and as the same JSON in text: without nulls, sanitized and bounded."""
    data = _sanitize_value(answer.model_dump(mode="json", exclude_none=True, exclude_unset=True))
    if report is not None:
        data |= report.model_dump()
    text = to_json(data).decode()
    if isinstance(answer, ShortAnswer):
        if estimate_tokens(text) > MAX_SHORT_ANSWER_TOKENS:
            return _shorten(data, estimate_tokens, MAX_SHORT_ANSWER_TOKENS, "too long; ask about fewer")
        return data, text
    limit = MAX_PANEL_ANSWER_LENGTH if isinstance(answer, PanelAnswer) else MAX_ANSWER_LENGTH
    if len(text) > limit:
        return _shorten(data, len, limit, "too long; call again with a smaller per_page")
    return data, text


def estimate_tokens(text: str) -> int:
    """Estimate the most tokens that a text can have; a character that is not ASCII may take one for each byte."""
    plain = sum(map(str.isascii, text)) if not text.isascii() else len(text)
    return int(plain / _MIN_CHARACTERS_PER_TOKEN) + len(text.encode()) - plain


def _sanitize_value(value: Any, limit: int = MAX_STRING_LENGTH) -> Any:
    if isinstance(value, str):
        is_plain = value.isascii() and value.isprintable() and len(value) <= limit  # nearly all are
        return value if is_plain else sanitize(value, limit)
    if isinstance(value, dict):
        return {
            key: _sanitize_value(item, MAX_NOTES_LENGTH if key == "notes" else MAX_STRING_LENGTH)
            for key, item in value.items()
        }
    return [_sanitize_value(item) for item in value] if isinstance(value, list) else value


def _shorten(
    data: dict[str, Any], size_of: Callable[[str], int], limit: int, advice: str
) -> tuple[dict[str, Any], str]:
    """Leave out rows at the end of the longest list until the answer fits, and count them in `left_out`."""
    text = to_json(data).decode()
    while (size := size_of(text)) > limit and any(value for value in data.values() if isinstance(value, list)):
        lists = [key for key, value in data.items() if isinstance(value, list)]
        longest = max(lists, key=lambda key: len(to_json(data[key])))
        rows = data[longest]
        kept = min(len(rows) - 1, int(len(rows) * limit / size))
        left_out = data.get("left_out", 0) + len(rows) - kept
        data = {key: value for key, value in data.items() if key != "next_page"}  # it would skip the rows left out
        data |= {longest: rows[:kept], "left_out": left_out, "note": advice}
        text = to_json(data).decode()
    return data, text
