"""Decodes the values of a vCard, each by its own declarations: quoted-printable, base64 and character sets."""

import re
from binascii import Error as InvalidBase64
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from contacts_mcp.formats._encoding import DEFAULT_FALLBACK, find_codec
from contacts_mcp.formats._vcard_heads import Head

_FULL_LINE_LENGTH = 70
"""Quoted-printable breaks a line that is nearly 76 characters long; a shorter one was folded, or ends with a `=`."""
_BLANKS, _SPACES = " \t", (" ", "\t")
_ENCODED_SPACES = ("=20", "=09", "=0A", "=0D", " ", "\t")
_ENCODED_LINE_ENDS = ("=0A=", "=0D=")
_NEXT_PROPERTY = re.compile(
    r"(?:[\w-]{1,50}\.)?(?:ADR|BDAY|CATEGORIES|EMAIL|FN|N|NOTE|ORG|PHOTO|REV|TEL|TITLE|UID|URL|X-[A-Z-]+)[;:]"
)
_UNDECLARED = re.compile(r"(?:[^=]|=[0-9A-F]{2})*")
_ESCAPE = "\x1b"  # begins a change of the character set in ISO-2022-JP
_SPACE = re.compile(rb"\s+")


class Charsets(NamedTuple):
    """How values are decoded that do not name their character set, or name a wrong one.

    Attributes:
        is_utf_8: Whether the whole file is UTF-8, also where it declares something else: it was converted as a text.
        fallback: The codec of other values that are not UTF-8.
        is_fallback_given: Whether the caller named the fallback; else it is a guess.
    """

    is_utf_8: bool
    fallback: str
    is_fallback_given: bool = False


class Value(NamedTuple):
    """A decoded value; `is_guessed` if neither its declaration nor UTF-8 fits."""

    text: str
    is_guessed: bool = False


def is_plain(head: Head, raw: str) -> bool:
    """Whether a value needs no decoding, which is true for most."""
    return raw.isascii() and not head.transfer and not head.charset and _ESCAPE not in raw


def decode(head: Head, raw: str, charsets: Charsets) -> Value | None:
    """Decode a value, whose bytes are given as Latin-1; None if that is not possible."""
    data = _decode_transfer(head, raw)
    if data is None:
        return None
    codecs = [find_codec(head.charset) or "utf_8"] if head.charset else ["utf_8"]
    if charsets.is_utf_8 and not head.transfer and not raw.isascii():
        codecs.insert(0, "utf_8")
    if b"\x1b$" in data:
        codecs.insert(0, "iso2022_jp")
    return _decode_text(data, codecs, charsets)


def decode_head(raw: str) -> str:
    """Decode what stands before a value, such as a label in `TYPE=`, whose bytes are given as Latin-1."""
    data = raw.encode("latin-1")
    return _try_decode(data, "utf_8") or data.decode(DEFAULT_FALLBACK, "replace")


def _decode_transfer(head: Head, raw: str) -> bytes | None:
    """Undo quoted-printable and base64; None if the value is not base64."""
    data = raw.encode("latin-1")
    if head.transfer == "quoted-printable" or (head.charset and not head.transfer and _is_undeclared(raw)):
        return a2b_qp(data)
    if head.transfer == "base64":
        data = _SPACE.sub(b"", data).rstrip(b"=")
        try:
            return a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
        except InvalidBase64:
            return None
    return data


def _is_undeclared(raw: str) -> bool:
    """Whether a value is quoted-printable without saying so: all of its `=` are, and they encode UTF-8."""
    if "=" not in raw or not raw.isascii() or _UNDECLARED.fullmatch(raw) is None:
        return False
    decoded = a2b_qp(raw.encode())
    return not decoded.isascii() and _try_decode(decoded, "utf_8") is not None


def _decode_text(data: bytes, codecs: Iterable[str], charsets: Charsets) -> Value:
    for codec in codecs:
        if (text := _try_decode(data, codec)) is not None:
            return Value(_normalize(text))
    text = data.decode(charsets.fallback, "replace")
    return Value(_normalize(text), is_guessed=not charsets.is_fallback_given or "\ufffd" in text)


def _try_decode(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _normalize(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def join_soft_lines(line: str, value: str, lines: list[str]) -> str:
    """Join a quoted-printable value with the lines that continue it, which are taken from `lines`, the next one last.

    Some programs fold such lines as well: then each begins with one space too many.
    """
    parts = _take_soft_lines(line, value, lines)
    continued = parts[1:]
    if not any(part.startswith(_SPACES) for part in continued):
        return "".join(parts)
    is_folded = all(part.startswith(_SPACES) for part in continued) and (
        len(continued) > 1 or len(line) < _FULL_LINE_LENGTH or ("=20" in value and " " not in value)
    )
    return _join_folded(parts, is_folded=is_folded)


def _take_soft_lines(line: str, value: str, lines: list[str]) -> list[str]:
    """Return a value and the lines that continue it, without the `=` at their ends."""
    parts, before = [value.rstrip(_BLANKS)], line.rstrip(_BLANKS)
    while before.endswith("=") and lines and _is_soft_break(before, lines[-1]):
        parts[-1] = parts[-1][:-1]
        before = lines.pop()
        if before.rstrip(_BLANKS).endswith("="):
            before = before.rstrip(_BLANKS)
        parts.append(before)
    return parts


def _is_soft_break(line: str, following: str) -> bool:
    """Whether the following line continues this one, which ends with `=`; else the `=` is a part of the text."""
    is_short = len(line) < _FULL_LINE_LENGTH and not line.endswith(_ENCODED_LINE_ENDS)
    return not (is_short and _NEXT_PROPERTY.match(following))


def _join_folded(parts: list[str], *, is_folded: bool) -> str:
    """Join parts, without the spaces that folding added: before each part, or else where a space cannot be."""
    joined = [parts[0]]
    for before, part in pairwise(parts):
        is_extra = part.startswith(_SPACES) and (is_folded or before.endswith(_ENCODED_SPACES) or _splits(before, part))
        joined.append(part[1:] if is_extra else part)
    return "".join(joined)


def _splits(before: str, part: str) -> bool:
    """Whether a break is inside a character: `=C3`, then ` =A5`."""
    return before[-3:-2] == "=" and before[-2:-1] in "89ABCDEFabcdef" and part[1:2] == "=" and part[2:3] in "89ABab"
