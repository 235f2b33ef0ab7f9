"""JSON: a list of objects, an object that holds one, or an object on each line."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from contacts_mcp.contract import UUID, ContactType, ValidationFailed
from contacts_mcp.formats._csv import decode
from contacts_mcp.formats._own import COLUMNS, TIMES
from contacts_mcp.formats._rows import ParsedFile, Row, checked
from contacts_mcp.formats._table import read_table

_DEEPEST = 4
_LISTS = ("contacts", "items", "data", "results", "people")


def read_json(data: bytes, wanted: Mapping[str, str]) -> ParsedFile:
    """Read objects whose keys are understood as columns are.

    Raises:
        ValidationFailed: it is no JSON, or holds no list of contacts, or no key holds a name.
    """
    items = _items(decode(data)[0])
    keys = list(dict.fromkeys(key for item in items if isinstance(item, dict) for key in item))
    if not keys:
        raise ValidationFailed("the JSON holds no contacts", advice='expected is a list such as [{"name": "..."}]')
    if not wanted and {"name"} <= {*keys} <= {*COLUMNS}:
        mapping = [(key, key) for key in keys if key not in TIMES]
        return ParsedFile("json", "this program's own", checked(_own_rows(items)), mapping)
    cells = ((number, [_text(item.get(key)) for key in keys]) for number, item in _objects(items))
    table = read_table(keys, cells, wanted)
    return ParsedFile("json", table.dialect, checked(table.rows), table.mapping, table.unmapped)


def _items(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _lines(text)
    if isinstance(found, dict):
        found = next((found[name] for name in _LISTS if isinstance(found.get(name), list)), [found])
    if not isinstance(found, list):
        raise ValidationFailed("the JSON is no list of contacts", advice='expected is a list such as [{"name": "..."}]')
    return found


def _lines(text: str) -> list[Any]:
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        raise ValidationFailed("the file is no proper JSON", advice="check where it was cut off or edited") from None


def _objects(items: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, item in enumerate(items, 1):
        yield number, item if isinstance(item, dict) else {}


def _own_rows(items: list[Any]) -> Iterator[Row]:
    for number, item in _objects(items):
        tags = item.get("tags")
        found = _text(item.get("id"))
        yield Row(
            number,
            id=found.lower() if UUID.fullmatch(found) else None,
            type=_type(item.get("type")),
            name=_text(item.get("name")),
            company_name=_text(item.get("company_name")),
            phones=tuple(filter(None, [_text(item.get("phone_number"))])),
            emails=tuple(filter(None, [_text(item.get("email"))])),
            tags=tuple(map(_text, tags)) if isinstance(tags, list) else tuple(filter(None, [_text(tags)])),
            notes=_text(item.get("notes")),
        )


def _type(value: Any) -> ContactType | None:
    return "company" if value == "company" else "person" if value == "person" else None


def _text(value: Any, depth: int = _DEEPEST) -> str:
    """A value as a cell would hold it; what is nested is written with semicolons, and what is deeper is none."""
    match value:
        case list() if depth:
            return ";".join(filter(None, (_text(each, depth - 1) for each in value)))
        case dict() if depth:
            return _text(value.get("value"), depth - 1)
        case None | bool() | list() | dict():
            return ""
        case float():
            return _number(value)
        case _:
            return str(value)


def _number(value: float) -> str:
    if not math.isfinite(value):  # what programs write for a number that is missing
        return ""
    return str(int(value)) if value.is_integer() else str(value)
