"""Put an entry into a JSON file with comments, or remove it; every other character stays as it is.

A new entry is the first one of its section, so that no line before or after it needs another comma.
"""

import json
import re
from typing import Any

from contacts_mcp.install._jsonc import Member, Node, parse_jsonc, skip_trivia
from contacts_mcp.install._text import InvalidHostFile, TextEdit, apply_edits, indentation, line_end, line_start

_REST_OF_LINE = re.compile(r"[ \t]*(?:/\*[^\r\n]*?\*/[ \t]*)*(?://[^\r\n]*)?(?=\r?\n)")
_TEXT = r'"(?:[^"\\]|\\.)*"'
_LIST = re.compile(rf"\[\s+({_TEXT}(?:,\n\s+{_TEXT})*)\s+\]")
_DEFAULT_UNIT = "  "


def read_entries(text: str, section: str) -> dict[str, Any]:
    """Return the entries of a section by name. Raises InvalidHostFile."""
    found = _find_section(_parse(text), section)
    return {} if found is None else dict(found.value)


def put_entry(text: str, section: str, name: str, entry: dict[str, Any]) -> str:
    """Return the text with an entry, which replaces one of the same name. Raises InvalidHostFile."""
    root = _parse(text)
    if root is None:
        return text + _new_document({section: {name: entry}}, line_end(text))
    found = _find_section(root, section)
    if found is None:
        return apply_edits(text, [_insert(text, root, root, section, {name: entry})])
    if old := _single(found, name):
        is_in_line = not _begins_line(text, old.start)
        compact = json.dumps(entry, ensure_ascii=False)
        shown = compact if is_in_line else _render(text, entry, _unit(text, root), indentation(text, old.start))
        return apply_edits(text, [TextEdit(old.node.start, old.node.end, shown)])
    return apply_edits(text, [_insert(text, root, found, name, entry)])


def drop_entry(text: str, section: str, name: str) -> str:
    """Return the text without an entry, and the comma that belongs to it. Raises InvalidHostFile."""
    found = _find_section(_parse(text), section)
    old = _single(found, name) if found else None
    if not found or not old:
        return text
    start = _before_white_space(text, old.start)
    comma = skip_trivia(text, old.node.end)
    edits = [TextEdit(start, old.node.end)]
    if text[comma] == ",":
        is_adjacent = not text[old.node.end : comma].strip()
        edits = [TextEdit(start, comma + 1)] if is_adjacent else [*edits, TextEdit(comma, comma + 1)]
    elif before := _previous(found, old):
        comma = skip_trivia(text, before.node.end)
        edits.append(TextEdit(comma, comma + 1))
    if len(found.members or ()) == 1 and not text[found.start + 1 : start].strip():
        rest = text[edits[0].end : found.end - 1]
        edits = edits if rest.strip() else [TextEdit(found.start, found.end, "{}")]
    return apply_edits(text, edits)


def _parse(text: str) -> Node | None:
    root = parse_jsonc(text)
    if root is not None and root.members is None:
        raise InvalidHostFile("it holds no JSON object")
    return root


def _find_section(root: Node | None, section: str) -> Node | None:
    found = root.member(section) if root else None
    if found and found.node.members is None:
        raise InvalidHostFile(f'"{section}" is not an object')
    return found.node if found else None


def _single(section: Node, name: str) -> Member | None:
    if sum(each.name == name for each in section.members or ()) > 1:
        raise InvalidHostFile(f'it has "{name}" twice; remove one of them')
    return section.member(name)


def _previous(section: Node, member: Member) -> Member | None:
    earlier = [each for each in section.members or () if each.start < member.start]
    return earlier[-1] if earlier else None


def _insert(text: str, root: Node, into: Node, name: str, value: Any) -> TextEdit:
    """Make the member the first one of an object, after a comment on the line of its bracket."""
    if into.members and "\n" not in text[into.start : into.members[0].start]:
        shown = f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)},"
        return TextEdit(into.start + 1, into.start + 1, shown)
    unit, newline = _unit(text, root), line_end(text)
    base = indentation(text, into.start)
    first = into.members[0] if into.members else None
    inner = indentation(text, first.start) if first and _begins_line(text, first.start) else base + unit
    rest = _REST_OF_LINE.match(text, into.start + 1)
    at = rest.end() if rest and rest.end() < into.end else into.start + 1
    shown = f"{newline}{inner}{json.dumps(name, ensure_ascii=False)}: {_render(text, value, unit, inner)}"
    if first:
        return TextEdit(at, at, f"{shown},")
    is_one_line = "\n" not in text[at : into.end]
    return TextEdit(at, at, shown + (newline + base if is_one_line else ""))


def _render(text: str, value: Any, unit: str, indent: str) -> str:
    return _dump(value, unit).replace("\n", line_end(text) + indent)


def _new_document(value: Any, newline: str) -> str:
    return f"{_dump(value, _DEFAULT_UNIT)}\n".replace("\n", newline)


def _dump(value: Any, unit: str) -> str:
    """Return a value in lines, with a list of texts on one line, as people write it."""
    shown = json.dumps(value, ensure_ascii=False, indent=unit)
    return _LIST.sub(lambda found: json.dumps(json.loads(found[0]), ensure_ascii=False), shown)


def _unit(text: str, root: Node) -> str:
    """Return the white space of one level: that of the first member of the document."""
    first = root.members[0] if root.members else None
    if first and _begins_line(text, first.start):
        return indentation(text, first.start) or _DEFAULT_UNIT
    return _DEFAULT_UNIT


def _begins_line(text: str, position: int) -> bool:
    return line_start(text, position) > 0 and not text[line_start(text, position) : position].strip()


def _before_white_space(text: str, position: int) -> int:
    return len(text[:position].rstrip(" \t\r\n"))
