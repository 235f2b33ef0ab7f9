"""What models write in place of what a schema wants: read if it has one meaning, else refused with the right call."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from contacts_mcp.contract import UUID, invalid_field
from contacts_mcp.text import digits, sanitize_line

LIKE_AN_ID = re.compile(r"[0-9a-fA-F]{8}-.*", re.DOTALL)
"""An id, or an id with a fault in it."""
_ALL = frozenset({"all", "*"})
_ANY = "any"
_SEPARATOR, _ID_SEPARATOR = re.compile(r"[,;]"), re.compile(r"[\s,;]+")
_NUMBER = re.compile(r"\+?[\d\s()./-]+")
_MIN_NUMBER_DIGITS = 5
_MAX_SHOWN, _MAX_SHOWN_LENGTH = 5, 40


def is_all(value: Any) -> bool:
    """Whether a value stands for all records."""
    return isinstance(value, str) and value.strip().lower() in _ALL


def read_choice(choices: Sequence[str], value: str) -> str:
    """Return the choice that is meant, in any case; `all` means `any`. Another value is returned as it is."""
    written = value.strip().lower()
    if written in choices:
        return written
    return _ANY if written in _ALL and _ANY in choices else value


def read_list(item: Mapping[str, Any], text: str, path: str) -> list[str] | str:
    """Return the items of a list that was written as text; text that looks like broken JSON is returned as it is.

    Lines are items; so are ids, numbers, addresses and choices between commas. Raises ValidationFailed, with the lists
    that may be meant, if a comma may also be a part of a name.
    """
    if text.lstrip().startswith(("[", "{")):
        return text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1:
        return [each for line in lines for each in _split_certain(item, line) or [line]]
    if certain := _split_certain(item, text):
        return certain
    pieces = _pieces(text)
    if len(pieces) == 1:
        return pieces
    raise invalid_field(path, f"should be a list: write {_show(pieces)}, or {_show([text.strip()])} for a single one")


def describe_wrong_id(value: Any) -> str:
    """Say where the id is found of what was given in its place."""
    if not isinstance(value, str) or not value.strip() or LIKE_AN_ID.fullmatch(value.strip()):
        return "must be an id such as a1b2c3d4-5678-9abc-def0-123456789abc"
    return "must be an id: find_contacts finds it by a name, number or e-mail"


def split_items(items: Sequence[Any]) -> list[Any]:
    """Return the items of a list, of which one text may hold several ids."""
    return [each for item in items for each in (split_ids(item) or [item])]


def split_ids(value: Any) -> list[str]:
    """Return the ids of a text that holds several, or nothing."""
    pieces = _ID_SEPARATOR.split(value.strip()) if isinstance(value, str) and len(value) > len(UUID.pattern) else []
    return pieces if len(pieces) > 1 and all(map(UUID.fullmatch, pieces)) else []


def _split_certain(item: Mapping[str, Any], text: str) -> list[str]:
    """Split a text at commas if no piece can be part of a name: choices, ids, numbers, e-mail addresses."""
    if ids := split_ids(text):
        return ids
    pieces = _pieces(text)
    if "enum" in item:
        pieces = [piece.lower() for piece in _ID_SEPARATOR.split(text.strip()) if piece]
        return pieces if set(pieces) & set(item["enum"]) else []  # the validation names the others
    return pieces if len(pieces) > 1 and all(map(_is_key, pieces)) else []


def _pieces(text: str) -> list[str]:
    return [piece for each in _SEPARATOR.split(text) if (piece := each.strip())]


def _is_key(piece: str) -> bool:
    is_number = _NUMBER.fullmatch(piece) is not None and len(digits(piece)) >= _MIN_NUMBER_DIGITS
    return is_number or UUID.fullmatch(piece) is not None or ("@" in piece and " " not in piece)


def _show(items: Sequence[str]) -> str:
    shown = [sanitize_line(each, _MAX_SHOWN_LENGTH) for each in items[:_MAX_SHOWN]]
    more = [] if len(items) <= _MAX_SHOWN else ["…"]
    return json.dumps([*shown, *more], ensure_ascii=False)
