"""Detect the character set of a file, and decode files that are not, or only partly, UTF-8.

Old address books write Windows-1252, and a file that was joined from others may contain both. So a file that is not
valid UTF-8 is decoded line by line or value by value, and only the parts that are not UTF-8 use the fallback.
"""

import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache
from typing import NamedTuple

from contacts_mcp.contract import ValidationFailed, invalid_field

_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf_32_le", "UTF-32"),  # before UTF-16, whose mark it begins with
    (b"\0\0\xfe\xff", "utf_32_be", "UTF-32"),
    (b"\xef\xbb\xbf", "utf_8", "UTF-8"),
    (b"\xff\xfe", "utf_16_le", "UTF-16"),
    (b"\xfe\xff", "utf_16_be", "UTF-16"),
)
_ENCODED_TWICE = re.compile(
    "[\u00c2\u00c3][\u0080-\u00bf\u0152-\u2122]"
    "|[\u00c4-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192]"
)
"""Found in such text. Other capitals before an ellipsis, a dash or a quote, as in `NÅ…`, are as they were meant."""
_DETECTION_BYTES = 512
_MIN_ZERO_SHARE = 16
"""One in so many bytes of UTF-16 is zero, at least: all text has spaces and line ends."""
_SPACE = re.compile(r"\s+")
DEFAULT_FALLBACK = "cp1252"
_TEXT_CODECS = frozenset(
    "utf_8 utf_16 utf_16_le utf_16_be utf_7 gb2312 gbk gb18030 big5 shift_jis cp932 euc_jp iso2022_jp euc_kr cp949 "
    "koi8_r koi8_u mac_roman mac_cyrillic mac_latin2 mac_greek mac_turkish mac_iceland cp437 cp850 cp852 cp858 cp865 "
    "cp866 cp874 tis_620".split()
    + [f"cp{page}" for page in range(1250, 1259)]
    + [f"iso8859_{part}" for part in (*range(2, 12), *range(13, 17))]
)
"""Codecs that a file may name. Python's other codecs are not character sets, or take quadratic time."""
_SUPERSETS = {
    "ascii": "cp1252", "latin_1": "cp1252", "iso8859_9": "cp1254", "tis_620": "cp874",
    "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949",
}  # fmt: skip
"""Codecs that contain others, and that programs mean by the others' names."""
_EXAMPLES = "utf-8, windows-1252, windows-1250, windows-1251, iso-8859-2, macintosh"


class Encoding(NamedTuple):
    """How a file is decoded.

    Attributes:
        codec: Python's name.
        name: The name to show.
        fallback: The codec for lines and values that `codec` cannot decode; None if it decodes the whole file.
        mark_length: Bytes of the byte order mark.
    """

    codec: str
    name: str
    fallback: str | None = None
    mark_length: int = 0


@lru_cache(maxsize=64)
def find_codec(name: str) -> str | None:
    """Return Python's name of a character set; None if it is not one."""
    plain = normalize_encoding(name.strip().lower()).removeprefix("x_").removeprefix("unicode_1_1_")
    codec = aliases.get(plain, plain)  # not `codecs.lookup`, which remembers every name of a file for ever
    codec = _SUPERSETS.get(codec, codec)
    return codec if codec in _TEXT_CODECS else None


def detect_encoding(data: bytes, chosen: str | None = None) -> Encoding:
    """Return the encoding of a file: by its byte order mark, else UTF-8 if it is valid, else UTF-8 with a fallback.

    `chosen` is the caller's name of the encoding. A byte order mark overrides it.

    Raises:
        ValidationFailed: `chosen` is unknown, or the file cannot be decoded with it or as its byte order mark says.
    """
    codec = _require_codec(chosen)
    for mark, marked, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _validate(data, Encoding(marked, name, mark_length=len(mark)))
    if codec:
        return _validate(data, Encoding(codec, codec if chosen is None else chosen))
    if codec := _unmarked_utf_16(data):
        return _validate(data, Encoding(codec, "UTF-16"))
    try:
        data.decode()
    except UnicodeDecodeError:
        mixed = any(map(_is_utf_8_text, data.split(b"\n")))
        return Encoding("utf_8", f"{'UTF-8 and ' if mixed else ''}Windows-1252 (guessed)", DEFAULT_FALLBACK)
    return Encoding("utf_8", "UTF-8")


def _require_codec(name: str | None) -> str | None:
    if name is None:
        return None
    codec = find_codec(name)
    if codec is None:
        raise invalid_field("encoding", f"is not known; examples are {_EXAMPLES}")
    return codec


def _validate(data: bytes, encoding: Encoding) -> Encoding:
    try:
        data.decode(encoding.codec)
    except UnicodeDecodeError:
        if encoding.codec == "utf_8":  # a part with another encoding was added
            return encoding._replace(name=f"{encoding.name} and Windows-1252 (guessed)", fallback=DEFAULT_FALLBACK)
        if encoding.codec.startswith("utf"):
            raise ValidationFailed(f"the file is not valid {encoding.name}", advice="save it as UTF-8") from None
    return encoding


def _unmarked_utf_16(data: bytes) -> str | None:
    """Return the codec of UTF-16 without a mark: one byte of each ASCII character is zero, and the text is readable."""
    begin = data[: min(_DETECTION_BYTES, len(data) // 2 * 2)]
    even_zeros, odd_zeros = begin[::2].count(0), begin[1::2].count(0)
    if max(even_zeros, odd_zeros) * _MIN_ZERO_SHARE < len(begin) or min(even_zeros, odd_zeros):
        return None
    codec = "utf_16_le" if odd_zeros else "utf_16_be"
    return codec if _SPACE.sub("", begin.decode(codec, "ignore")).isprintable() else None


def _is_utf_8_text(line: bytes) -> bool:
    """Whether a line has characters outside ASCII, and is valid UTF-8."""
    if line.isascii():
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def decode(data: bytes, encoding: Encoding) -> str:
    """Return the text of a file. If the encoding has a fallback, each line is decoded by itself."""
    data = data[encoding.mark_length :]
    if encoding.fallback is None:
        return data.decode(encoding.codec, "replace")
    return "\n".join(decode_value(line, encoding.codec, encoding.fallback) for line in data.split(b"\n"))


def decode_value(value: bytes, codec: str, fallback: str) -> str:
    """Decode one value with `codec`, or with `fallback` if that fails."""
    try:
        return value.decode(codec)
    except UnicodeDecodeError:
        return value.decode(fallback, "replace")


def decode_again(text: str) -> str:
    """Return what a text was before its UTF-8 was read as Windows-1252: `PÃ¥l` was `Pål`."""
    if text.isascii() or not _ENCODED_TWICE.search(text):
        return text
    try:
        return b"".join(map(_encode_character, text)).decode()
    except UnicodeError:
        return text


def _encode_character(character: str) -> bytes:
    """Encode as Windows-1252, or as Latin-1 where that has no character."""
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")
