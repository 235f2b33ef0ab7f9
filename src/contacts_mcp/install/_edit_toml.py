"""Put a table into a TOML file, or remove it; every other character stays as it is.

A new table is written at the end of the file. Tables are found by their headers, as the hosts' own commands write them;
`tomllib` says what a file means, and whether it means the same after an edit.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date, time
from typing import Any

from contacts_mcp.install._text import InvalidHostFile, TextEdit, apply_edits, line_end, next_line

_PLACE = re.compile(r"(.*) \(at (line \d+, column \d+)\)")
_ANY_HEADER = re.compile(r"[ \t]*\[")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_STRINGS = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)


def read_entries(text: str, section: str) -> dict[str, Any]:
    """Return the entries of a section by name. Raises InvalidHostFile."""
    found = parse_toml(text).get(section, {})
    if not isinstance(found, dict):
        raise InvalidHostFile(f"`{section}` is not a table")
    return dict(found)


def put_entry(text: str, section: str, name: str, entry: dict[str, Any]) -> str:
    """Return the text with a table, in place of one of the same name. Raises InvalidHostFile."""
    newline = line_end(text)
    shown = _render((section, name), entry).replace("\n", newline)
    if spans := list(_spans(text, (section, name))):
        later = [TextEdit(next_line(text, len(text[:start].rstrip()) - 1), end) for start, end in spans[1:]]
        return apply_edits(text, [TextEdit(*spans[0], shown), *later])
    if not text.strip():
        return text + shown
    return text + ("" if text.endswith("\n") else newline) + newline + shown


def drop_entry(text: str, section: str, name: str) -> str:
    """Return the text without a table and its subtables. Raises InvalidHostFile."""
    spans = [(start, _skip_blank_lines(text, end)) for start, end in _spans(text, (section, name))]
    kept = apply_edits(text, [TextEdit(start, end) for start, end in spans])
    newline = line_end(text)
    is_last = bool(spans) and spans[-1][1] == len(text)
    # The blank line that was put before a table at the end.
    return kept.removesuffix(newline) if is_last and kept.endswith(newline * 2) else kept


def parse_toml(text: str) -> dict[str, Any]:
    """Return the document's values. Raises InvalidHostFile, with the line."""
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as exc:
        raise InvalidHostFile(_PLACE.sub(r"\2: \1", str(exc)).lower()) from None
    except RecursionError:
        raise InvalidHostFile("its values are nested too deeply") from None


def _spans(text: str, key: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yield where a table and its subtables stand, up to the last line that is no comment."""
    headers = list(_headers(text))
    ends = [*(start for start, _ in headers[1:]), len(text)]
    for (start, found), following in zip(headers, ends, strict=False):
        if found[: len(key)] == key:
            yield start, _end_of_content(text, start, following)


def _end_of_content(text: str, start: int, following: int) -> int:
    """Return where a table ends: comments before the next header belong to that one."""
    end = position = start
    for line in text[start:following].splitlines(keepends=True):
        position += len(line)
        if line.strip() and not line.lstrip().startswith("#"):
            end = position
    return end


def _skip_blank_lines(text: str, position: int) -> int:
    while position < len(text) and not text[position : next_line(text, position)].strip():
        position = next_line(text, position)
    return position


def _headers(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield each line that is a header, with its key; a line inside of a multi-line text or an array is none."""
    masked = _STRINGS.sub(lambda found: re.sub(r"[^\r\n]", " " if found[0][0] != "#" else "#", found[0]), text)
    position, depth = 0, 0
    for line in masked.splitlines(keepends=True):
        original = text[position : position + len(line)]
        if depth <= 0 and _ANY_HEADER.match(line):
            yield position, _parse_header(original)
        else:
            code = line.partition("#")[0]
            depth += code.count("[") + code.count("{") - code.count("]") - code.count("}")
        position += len(line)


def _parse_header(line: str) -> tuple[str, ...]:
    """Return the key of a header line; empty for an array of tables."""
    if line.lstrip().startswith("[["):
        return ()
    found: Any = tomllib.loads(line.strip("\r\n"))
    key: list[str] = []
    while isinstance(found, dict) and found:
        ((name, found),) = found.items()
        key.append(name)
    return tuple(key)


def _render(key: tuple[str, ...], table: dict[str, Any]) -> str:
    """Return a table with its subtables."""
    lines = [f"[{'.'.join(map(_key, key))}]"]
    lines += [f"{_key(name)} = {_value(value)}" for name, value in table.items() if not isinstance(value, dict)]
    inner = [_render((*key, name), value) for name, value in table.items() if isinstance(value, dict)]
    return "\n".join([*lines, "", *inner]) if inner else "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE_KEY.match(name) else _text(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
