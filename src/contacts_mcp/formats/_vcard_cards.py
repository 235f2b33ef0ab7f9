"""Finds the cards of a file: where each begins and ends, whatever stands before, between and inside of them."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_JOINED_CARDS = re.compile(rb"(?:\nEND:VCARD(?=\w)|END:VCARD[ \t\x1a,;]*(?=BEGIN:VCARD))", re.IGNORECASE)
_TAGS = rb"(?:<[^<>\n]{0,200}>)*"  # of a page that the cards were copied from
_MARKER = re.compile(
    rb"\n\x1a?([ \t>]*+)" + _TAGS + rb"((?:[\w-]{1,50}\.)?+AGENT\b[^:\n]*+:\s*+)?(BEGIN|END)[ \t]*+:[ \t]*+VCARD"
    rb"[ \t;\x1a]*+" + _TAGS + rb"[ \t]*+(?=\n|\Z)",
    re.IGNORECASE,
)  # possessive, or a megabyte of spaces would take minutes
_MARKER_WORD = b"VCARD"
_MAX_AGENT_GAP = 4096
"""How many bytes before the card of an assistant are searched for the line AGENT: that it belongs to."""
_TAG_AT_LINE_END = re.compile(rb"<br ?/?>\n?", re.IGNORECASE)
_INDENT = re.compile(rb"\n+([ \t>]*)")
_VERSION = re.compile(rb"[\s>]*VERSION:", re.IGNORECASE)
_MIN_FOLDED_LENGTH = 60
"""An indented line after one that is shorter is not the rest of a folded line."""
_PROPERTY = re.compile(rb"\n[ \t>]*(?:[\w-]{1,50}\.)?(?:VERSION|FN|N|TEL|EMAIL)[;:]", re.IGNORECASE)
_NAME = re.compile(rb"\n[ \t>]*(?:[\w-]{1,50}\.)?(?:FN|N)[;:]", re.IGNORECASE)
"""What text before a lost END:VCARD has, and text before a card or the end of a file, if it is a card as well."""
_NO_TEXT = re.compile(rb"(?:BEGIN|END):VADDRESSBOOK|<[^<>]{0,200}>|[\s\x1a]+", re.IGNORECASE)


@dataclass(slots=True)
class Leftovers:
    """What a file has besides the contacts that were read.

    Attributes:
        properties: The names of properties that are not read, with the number of cards that have them.
        has_other_text: Whether text stands outside of cards.
    """

    properties: Counter[str] = field(default_factory=Counter)
    has_other_text: bool = False


class RawCard(NamedTuple):
    """The lines of a card; each begins with a line feed."""

    body: bytes
    has_agent: bool = False
    has_end: bool = True


def split_cards(data: bytes, leftovers: Leftovers) -> Iterator[RawCard]:
    """Yield the cards of a file, without the cards of assistants inside of them."""
    data = _normalize_lines(data)
    card = _OpenCard(leftovers)
    start = 0
    for marker in _find_markers(data):
        if card.depth and _is_folded(data, marker, card.indents):
            continue
        text, start = data[start : marker.start()], marker.end()
        if marker[3].upper() == b"END":
            yield from card.end(text)
        elif marker[2]:
            card.begin_agent(text)
        else:
            yield from card.cut_off(text)
            card.begin((marker[1], _find_indent(data, marker.end())))
    yield from card.cut_off(data[start:])


def _find_markers(data: bytes) -> Iterator[re.Match[bytes]]:
    """Yield the markers, which are found by their word: the pattern would try every line of a long card in one step."""
    upper = data.upper()
    done = tried = 0
    while (word := upper.find(_MARKER_WORD, tried)) >= 0:
        line = data.rfind(b"\n", tried, word)
        tried = word + len(_MARKER_WORD)
        if line >= 0 and (marker := _match_agent(data, done, line) or _MARKER.match(data, line)):
            yield marker
            done = tried = marker.end()


def _match_agent(data: bytes, start: int, line: int) -> re.Match[bytes] | None:
    """Match the marker of an assistant's card whose AGENT: stands in a line before that of BEGIN:VCARD."""
    start = max(start, line - _MAX_AGENT_GAP)
    before = data[start:line].rstrip()
    if not before.endswith(b":"):
        return None
    agent = before.rfind(b"\n")
    return _MARKER.match(data, start + agent) if agent >= 0 else None


class _OpenCard:
    """The card that a file's next line belongs to; its depth is 0 outside of cards, and 2 in that of an assistant."""

    def __init__(self, leftovers: Leftovers) -> None:
        self.depth = 0
        self.indents: tuple[bytes, bytes] = (b"", b"")
        self._parts: list[bytes] = []
        self._has_agent = False
        self._leftovers = leftovers

    def begin(self, indents: tuple[bytes, bytes]) -> None:
        """Begin a card; `indents` stand before its lines BEGIN:VCARD and VERSION."""
        self.depth, self.indents, self._parts, self._has_agent = 1, indents, [], False

    def begin_agent(self, text: bytes) -> None:
        """Begin the card of an assistant, whose lines are not kept."""
        if not self.depth:
            self.begin((b"", _find_indent(text, 0)))
        self._add(text)
        self.depth, self._has_agent = self.depth + 1, True

    def end(self, text: bytes) -> Iterator[RawCard]:
        """End a card; yield it if it is not an assistant's. One without a beginning is read as well."""
        if self.depth > 1:
            self.depth -= 1
        else:
            yield from self._close(text, _PROPERTY, has_end=True)

    def cut_off(self, text: bytes) -> Iterator[RawCard]:
        """End a card without an end, if one is open, or if text outside of cards looks like one."""
        if not self.depth or self._parts or text.strip():  # else the line BEGIN:VCARD is there twice
            yield from self._close(text, _NAME, has_end=False)

    def _close(self, text: bytes, mark: re.Pattern[bytes], *, has_end: bool) -> Iterator[RawCard]:
        if not self.depth and not mark.search(text):
            self._note_other_text(text)
            return
        indent = self.indents[1] if self.depth else _find_indent(text, 0)
        self._add(text)
        body = b"".join(self._parts)
        yield RawCard(body.replace(b"\n" + indent, b"\n") if indent else body, self._has_agent, has_end)
        self.depth, self._parts, self._has_agent = 0, [], False

    def _add(self, text: bytes) -> None:
        if self.depth <= 1:
            self._parts.append(text)

    def _note_other_text(self, text: bytes) -> None:
        if not self._leftovers.has_other_text and not text.isspace():
            self._leftovers.has_other_text = bool(_NO_TEXT.sub(b"", text))


def _normalize_lines(data: bytes) -> bytes:
    """Return the data without byte order marks and zero bytes; line feeds end lines and stand before the first."""
    for old, new in ((b"\xef\xbb\xbf", b""), (b"\0", b""), (b"\r\r\n", b"\n"), (b"\r\n", b"\n"), (b"\r", b"\n")):
        if old in data:
            data = data.replace(old, new)
    upper = data.upper()  # searched faster than by patterns that ignore the case
    if upper.count(b"END:VCARD") > upper.count(b"\nEND:VCARD\n"):
        data = _JOINED_CARDS.sub(b"\nEND:VCARD\n", data)
    return b"\n" + (_TAG_AT_LINE_END.sub(b"\n", data) if b"BEGIN:VCARD<BR" in upper else data)


def _find_indent(data: bytes, position: int) -> bytes:
    """Return what stands before a card's first line after BEGIN:VCARD, which is not folded."""
    found = _INDENT.match(data, position)
    return found[1] if found else b""


def _is_folded(data: bytes, marker: re.Match[bytes], indents: tuple[bytes, bytes]) -> bool:
    """Whether a marker is the rest of a folded line, such as a note that mentions END:VCARD."""
    if not marker[1] or marker[1] in indents or _VERSION.match(data, marker.end()):
        return False
    return data.rfind(b"\n", max(0, marker.start() - _MIN_FOLDED_LENGTH), marker.start()) < 0
