"""Put an entry into a YAML file, or remove it; every other character stays as it is.

`ruamel.yaml` says where things stand. Writing the whole file with it would change quotes, indents and line lengths.
"""

import json
from typing import Any

from contacts_mcp.install._text import InvalidHostFile, line_end, line_number, line_start, next_line

_DEFAULT_INDENT = 2


def read_entries(text: str, section: str) -> dict[str, Any]:
    """Return the entries of a section by name. Raises InvalidHostFile."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    _find_section(text, section)  # says what is wrong, with its line
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise InvalidHostFile("a value in it cannot be read") from None
    return dict((content or {}).get(section) or {})


def put_entry(text: str, section: str, name: str, entry: dict[str, Any]) -> str:
    """Return the text with an entry, which replaces one of the same name. Raises InvalidHostFile."""
    newline = line_end(text)
    if old := _find_entry(text, section, name):
        key, value, is_flow = old
        if is_flow:
            return text[: value.start_mark.index] + _flow(entry) + text[value.end_mark.index :]
        start, column = line_start(text, key.start_mark.index), key.start_mark.column
        return text[:start] + _block(name, entry, column, newline) + text[_end_of_block(text, value) :]
    found = _find_section(text, section)
    if found is None:
        tail = "" if not text or text.endswith("\n") else newline
        return f"{text}{tail}{section}:{newline}{_block(name, entry, _DEFAULT_INDENT, newline)}"
    key, value = found
    if value.flow_style:
        at = value.start_mark.index + 1
        comma = ", " if value.value else ""
        return f"{text[:at]}{json.dumps(name, ensure_ascii=False)}: {_flow(entry)}{comma}{text[at:]}"
    first = value.value[0][0].start_mark if hasattr(value, "value") and isinstance(value.value, list) else None
    column = first.column if first else key.start_mark.column + _DEFAULT_INDENT
    at = line_start(text, first.index) if first else next_line(text, key.end_mark.index)
    tail = "" if text[:at].endswith("\n") else newline
    return text[:at] + tail + _block(name, entry, column, newline) + text[at:]


def drop_entry(text: str, section: str, name: str) -> str:
    """Return the text without an entry. Raises InvalidHostFile."""
    old = _find_entry(text, section, name)
    found = _find_section(text, section)
    if not old or not found:
        return text
    key, value, is_flow = old
    siblings = [each.start_mark.index for each, _ in found[1].value if each is not key]
    start, end = key.start_mark.index, value.end_mark.index
    if is_flow:
        later = [at for at in siblings if at > start]
        if later:
            return text[:start] + text[min(later) :]
        return text[: len(text[:start].rstrip(" ,"))] + text[end:]
    start, end = line_start(text, start), _end_of_block(text, value)
    if len(siblings) == 0 or siblings == [key.start_mark.index]:
        colon = text.index(":", found[0].end_mark.index) + 1
        return text[:colon] + " {}" + text[colon:start] + text[end:]
    return text[:start] + text[end:]


def _compose(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(pure=True).compose(text)
    except MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else line_number(text, len(text))
        raise InvalidHostFile(f"line {line}: it is not valid YAML") from None
    except YAMLError:
        raise InvalidHostFile("it is not valid YAML") from None
    except RecursionError:
        raise InvalidHostFile("its values are nested too deeply") from None


def _find_section(text: str, section: str) -> tuple[Any, Any] | None:
    """Return the nodes of a section's key and value."""
    root = _compose(text)
    if root is None:
        return None
    if root.tag != "tag:yaml.org,2002:map" or root.flow_style:
        raise InvalidHostFile("it is not a list of settings in lines")
    found = next(((key, value) for key, value in root.value if key.value == section), None)
    if found and found[1].tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:null"):
        raise InvalidHostFile(f"`{section}` holds no entries with names")
    if found and found[1].anchor:
        raise InvalidHostFile(f"`{section}` has an anchor, and is used in other places")
    return found


def _find_entry(text: str, section: str, name: str) -> tuple[Any, Any, bool] | None:
    """Return the nodes of an entry's key and value, and whether the section is written in brackets."""
    found = _find_section(text, section)
    entries = found[1].value if found and isinstance(found[1].value, list) else []
    matching = [(key, value) for key, value in entries if key.value == name]
    if len(matching) > 1:
        raise InvalidHostFile(f"it has `{name}` twice; remove one of them")
    return (*matching[0], bool(found and found[1].flow_style)) if matching else None


def _end_of_block(text: str, value: Any) -> int:
    """Return where the line after a value begins: a block's own mark is behind the comments that follow it."""
    return next_line(text, max(_last_content(text, value) - 1, 0))


def _last_content(text: str, value: Any) -> int:
    if isinstance(value.value, list) and value.value and not value.flow_style:
        last = value.value[-1]
        return _last_content(text, last[1] if isinstance(last, tuple) else last)
    end = value.end_mark.index
    return len(text[:end].rstrip()) if end > value.start_mark.index else end


def _block(name: str, entry: dict[str, Any], column: int, newline: str) -> str:
    """Return an entry in lines, each value as JSON, which is YAML too."""
    outer, inner = " " * column, " " * (column + _DEFAULT_INDENT)
    lines = [f"{inner}{key}: {_flow(value)}{newline}" for key, value in entry.items()]
    return "".join([f"{outer}{name}:{newline}", *lines])


def _flow(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
