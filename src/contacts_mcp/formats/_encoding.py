"""Detect the character set of a file, and decode files that are not, or only partly, UTF-8.

Old address books write Windows-1252, and a file that was joined from others may contain both. So a file that is not
valid UTF-8 is decoded line by line or value by value, and only the parts that are not UTF-8 use the fallback.
"""

from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import NamedTuple

from contacts_mcp.contract import ValidationFailed, invalid_field

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf_8", "UTF-8"),
    (b"\xff\xfe", "utf_16_le", "UTF-16"),
    (b"\xfe\xff", "utf_16_be", "UTF-16"),
)
_DETECTION_BYTES = 512
DEFAULT_FALLBACK = "cp1252"
_TEXT_CODECS = frozenset(
    "utf_8 utf_16 utf_16_le utf_16_be utf_7 gb2312 gbk gb18030 big5 shift_jis cp932 euc_jp iso2022_jp euc_kr cp949 "
    "koi8_r koi8_u mac_roman mac_cyrillic mac_latin2 mac_greek mac_turkish mac_iceland cp437 cp850 cp852 cp858 cp865 "
    "cp866 cp874 tis_620".split()
    + [f"cp{page}" for page in range(1250, 1259)]
    + [f"iso8859_{part}" for part in (*range(2, 12), *range(13, 17))]
)
"""Codecs that a file may name. Python's other codecs are not character sets, or take quadratic time."""
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


def find_codec(name: str) -> str | None:
    """Return Python's name of a character set; None if it is not one."""
    plain = normalize_encoding(name.strip().lower())
    codec = aliases.get(plain, plain)  # not `codecs.lookup`, which remembers every name of a file for ever
    if codec in {"ascii", "latin_1"}:
        return "cp1252"  # which contains them, and which programs mean
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
    """Return the codec of UTF-16 without a mark: every other byte of Latin text is zero."""
    begin = data[: min(_DETECTION_BYTES, len(data) // 2 * 2)]
    even_zeros, odd_zeros, half = begin[::2].count(0), begin[1::2].count(0), len(begin) // 4  # half of the even bytes
    if half and odd_zeros > half and not even_zeros:
        return "utf_16_le"
    return "utf_16_be" if half and even_zeros > half and not odd_zeros else None


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
