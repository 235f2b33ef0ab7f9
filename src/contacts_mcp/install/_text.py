"""What the editors of all three formats share: errors with a line, line ends, one change of a text."""

from dataclasses import dataclass


class InvalidHostFile(ValueError):
    """A host's file cannot be read or edited. The message says where and why; it quotes nothing of the file."""


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Replace the characters from `start` to `end` by `text`."""

    start: int
    end: int
    text: str = ""


def apply_edits(text: str, edits: list[TextEdit]) -> str:
    """Return the text with non-overlapping edits, whose positions are those of the text before all of them."""
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def line_end(text: str) -> str:
    r"""Return the line end that a text uses: `\r\n` if its first line ends so."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def line_number(text: str, position: int) -> int:
    """Return the line of a position, counted from 1."""
    return text.count("\n", 0, position) + 1


def line_start(text: str, position: int) -> int:
    """Return where the line of a position begins."""
    return text.rfind("\n", 0, position) + 1


def next_line(text: str, position: int) -> int:
    """Return where the line after a position begins, or the end of the text."""
    found = text.find("\n", position)
    return len(text) if found < 0 else found + 1


def indentation(text: str, position: int) -> str:
    """Return the white space that the line of a position begins with."""
    start = line_start(text, position)
    rest = text[start:]
    return rest[: len(rest) - len(rest.lstrip(" \t"))]
