"""Read JSON with comments and trailing commas, and keep where each member of an object stands.

Hosts read such files by hand-written rules of their own; none of the kept libraries for Python edits one without
rewriting it. Strings are read by the standard library.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from contacts_mcp.install._text import InvalidHostFile, line_number, line_start

_TRIVIA = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)+", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile("true|false|null")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Node:
    """A value, and where it stands: from `start` to `end`. Only an object has `members`."""

    value: Any
    start: int
    end: int
    members: "tuple[Member, ...] | None" = None

    def member(self, name: str) -> "Member | None":
        """Return the member of this name; the last one if there are several, which is the one that counts."""
        return next((each for each in reversed(self.members or ()) if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object; its key begins at `start`."""

    name: str
    start: int
    node: Node


def parse_jsonc(text: str) -> Node | None:
    """Return the document's value with its places; None if the text holds nothing but white space and comments.

    Raises InvalidHostFile, with the line and the column.
    """
    reader = _Reader(text)
    position = skip_trivia(text, 0)
    if position == len(text):
        return None
    try:
        root = reader.value(position)
    except RecursionError:
        raise InvalidHostFile("its values are nested too deeply") from None
    end = skip_trivia(text, root.end)
    if end != len(text):
        raise _error(text, end, "expected the end of the file")
    return root


def skip_trivia(text: str, position: int) -> int:
    """Return where white space and comments from a position on end."""
    found = _TRIVIA.match(text, position)
    return found.end() if found else position


def _error(text: str, position: int, problem: str) -> InvalidHostFile:
    column = position - line_start(text, position) + 1
    return InvalidHostFile(f"line {line_number(text, position)}, column {column}: {problem}")


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, at: int) -> Node:
        text = self._text
        first = text[at : at + 1]
        if first == "{":
            return self._object(at)
        if first == "[":
            return self._array(at)
        if first == '"':
            found, end = self._string(at)
            return Node(found, at, end)
        if word := _WORD.match(text, at):
            return Node(_WORDS[word[0]], at, word.end())
        if number := _NUMBER.match(text, at):
            return Node(json.loads(number[0]), at, number.end())
        raise _error(text, at, "expected a value")

    def _string(self, at: int) -> tuple[str, int]:
        try:
            found, end = _DECODER.raw_decode(self._text, at)
        except json.JSONDecodeError as exc:
            raise _error(self._text, min(exc.pos, len(self._text)), "invalid text, or a quote is missing") from None
        return str(found), end

    def _object(self, at: int) -> Node:
        members: list[Member] = []
        position = skip_trivia(self._text, at + 1)
        while self._text[position : position + 1] != "}":
            if self._text[position : position + 1] != '"':
                raise _error(self._text, position, 'expected a name in double quotes, or "}"')
            name, end = self._string(position)
            colon = skip_trivia(self._text, end)
            if self._text[colon : colon + 1] != ":":
                raise _error(self._text, colon, 'expected ":"')
            node = self.value(skip_trivia(self._text, colon + 1))
            members.append(Member(name, position, node))
            position = self._after(node.end, "}")
        return Node({each.name: each.node.value for each in members}, at, position + 1, tuple(members))

    def _array(self, at: int) -> Node:
        values: list[Any] = []
        position = skip_trivia(self._text, at + 1)
        while self._text[position : position + 1] != "]":
            node = self.value(position)
            values.append(node.value)
            position = self._after(node.end, "]")
        return Node(values, at, position + 1)

    def _after(self, end: int, closing: str) -> int:
        """Return where the next item begins, or the closing bracket."""
        position = skip_trivia(self._text, end)
        found = self._text[position : position + 1]
        if found == ",":
            return skip_trivia(self._text, position + 1)
        if found != closing:
            raise _error(self._text, position, f'expected "," or "{closing}"')
        return position
