"""Text from people: folded for comparing, neutralised for showing."""

import re
import unicodedata

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tab and line feed
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"  # invisible letters and marks
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffc"  # zero-width, direction, separators
    "\ufe00-\ufe0f\U00013430-\U00013455\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # variants, format controls
    "\ud800-\udfff"  # halves of characters, which no encoder takes
    "\U000e0000-\U000e0fff"  # tags and variation selectors, used to hide whole sentences
    "]"
)


_QUOTES = str.maketrans(dict.fromkeys('"\u201c\u201d\u201e\u201f\u2033\uff02\u02ba', "'"))


def sanitize(text: str, limit: int) -> str:
    """Strip what a reader cannot see or what turns the writing round, and cut at `limit` characters."""
    visible = text if text.isascii() and text.isprintable() else _INVISIBLE.sub("", text)
    if len(visible) <= limit:
        return visible
    return f"{visible[:limit]}… [+{len(visible) - limit} characters]"


def quote(text: str, limit: int) -> str:
    """Quote somebody's words on one line, so that they cannot pass for the sentence around them."""
    line = " ".join(sanitize(text, limit).split()).translate(_QUOTES)
    return f'"{line}"'


def fold(text: str) -> str:
    """Write a text as people search for it: plain lower-case ASCII, so that `Bjørn` is `bjorn`."""
    if text.isascii():
        return text.lower()
    from anyascii import anyascii  # its tables are wanted by searches alone

    return anyascii(unicodedata.normalize("NFC", text)).lower()


def digits(text: str) -> str:
    """The decimal digits of a text, as phone numbers are compared."""
    return "".join(character for character in text if "0" <= character <= "9")


def search_tokens(query: str) -> list[str]:
    """The folded words of a query; their order and commas carry no meaning."""
    return fold(query).replace(",", " ").split()
