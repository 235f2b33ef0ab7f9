"""Text from people and services: folded for comparison, sanitized for display."""

import re
import unicodedata

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls except tab and line feed
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"  # invisible letters and marks
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffc"  # zero-width, direction, separators
    "\ufe00-\ufe0f\U00013430-\U00013455\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # variants, format controls
    "\ud800-\udfff"  # lone surrogates, which no encoder accepts
    "\U000e0000-\U000e0fff"  # tags and variation selectors, used to hide whole sentences
    "]"
)
_QUOTES = str.maketrans(dict.fromkeys('"\u201c\u201d\u201e\u201f\u2033\uff02\u02ba', "'"))


def sanitize(text: str, limit: int) -> str:
    """Remove invisible characters and changes of writing direction, and cut the text at `limit` characters."""
    visible = text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)
    if len(visible) <= limit:
        return visible
    return f"{visible[:limit]}… [+{len(visible) - limit} characters]"


def sanitize_line(text: str, limit: int) -> str:
    """Sanitize a text, cut it at `limit` characters and put it on one line."""
    return " ".join(sanitize(text, limit).split())


def escape_invisible(text: str) -> str:
    """Replace what `sanitize` removes by JSON escapes, which say what it is. Tabs and line feeds stay."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def quote(text: str, limit: int) -> str:
    """Quote a text on one line, so that it cannot be mistaken for the sentence around it."""
    line = sanitize_line(text, limit).translate(_QUOTES)
    return f'"{line}"'


def fold(text: str) -> str:
    """Fold a text to lower-case ASCII for searches: `Bjørn` becomes `bjorn`."""
    if text.isascii():
        return text.lower()
    from anyascii import anyascii  # its tables are large, and most texts are ASCII

    return anyascii(unicodedata.normalize("NFC", text)).lower()


def digits(text: str) -> str:
    """Return the ASCII digits of a text, to compare phone numbers."""
    return "".join(character for character in text if "0" <= character <= "9")


def search_tokens(query: str) -> list[str]:
    """Return the folded words of a query; commas separate words."""
    return fold(query).replace(",", " ").split()
