"""Text from people and services: folded for comparison, sanitized for display."""

import unicodedata
from collections.abc import Callable

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Controls, changes of direction, tags, characters of no standard, half characters, and separators of lines."""
_VARIATION_SELECTORS = (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159"
_HIDDEN_CHARACTERS = frozenset({*map(chr, _VARIATION_SELECTORS), *_FILLERS})
"""What shows nothing although its category is that of letters, marks or symbols."""
_QUOTE_CATEGORIES = frozenset({"Pi", "Pf"})
_QUOTE_NAMES = (
    "QUOTATION MARK",
    "APOSTROPHE",
    "PRIME",
    "CORNER BRACKET",
    "DITTO",
    "GERESH",
    "GERSHAYIM",
    "DOUBLE ACUTE",
    "DOUBLE GRAVE",
    "NIHSHVASA",
)
"""Parts of the names of characters that look like quotation marks, as far as they are no letters."""
_MAX_STACKED_MARKS = 3  # accents on one letter; more of them cover the lines above and below


class _Translation(dict[int, str]):
    """A table for `str.translate`, which asks `translate` about each character and remembers the first ones."""

    _MAX_ENTRIES = 4_096

    def __init__(self, translate: Callable[[str], str]) -> None:
        self._translate = translate

    def __missing__(self, code: int) -> str:
        translated = self._translate(chr(code))
        if len(self) < self._MAX_ENTRIES:
            self[code] = translated
        return translated


def _to_visible(character: str) -> str:
    """Return the character, a space for each kind of blank, or nothing for what cannot be seen."""
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    is_hidden = character in _HIDDEN_CHARACTERS or (category in _HIDDEN_CATEGORIES and character not in "\t\n")
    return "" if is_hidden else character


def _to_plain_quote(character: str) -> str:
    """Return an apostrophe for what is, or looks like, a quotation mark of any kind."""
    category = unicodedata.category(character)
    if category in _QUOTE_CATEGORIES:
        return "'"
    # Letters have such names, too: the Hungarian ones with a double acute accent.
    name = unicodedata.name(character, "") if category[0] in "PS" or category == "Lm" else ""
    return "'" if any(part in name for part in _QUOTE_NAMES) else character


def _to_escape(character: str) -> str:
    """Return the JSON escape of what cannot be seen, and other characters as they are."""
    if _to_visible(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _to_ascii(character: str) -> str:
    if character.isascii():
        return character
    from anyascii import anyascii  # its tables are large, and most texts are ASCII

    return anyascii(character)


_VISIBLE, _PLAIN_QUOTES = _Translation(_to_visible), _Translation(_to_plain_quote)
_ESCAPES, _ASCII = _Translation(_to_escape), _Translation(_to_ascii)


def sanitize(text: str, limit: int) -> str:
    """Remove invisible characters and changes of writing direction, and cut the text at `limit` characters."""
    visible = text if text.isascii() and text.isprintable() else text.translate(_VISIBLE)
    if len(visible) <= limit:
        return visible
    return f"{visible[:limit]}… [+{len(visible) - limit} characters]"


def sanitize_line(text: str, limit: int) -> str:
    """Sanitize a text, cut it at `limit` characters and put it on one line."""
    return " ".join(sanitize(text, limit).split())


def escape_invisible(text: str) -> str:
    """Replace what `sanitize` removes by JSON escapes, which say what it is. Tabs and line feeds stay."""
    return text if text.isascii() and text.isprintable() else text.translate(_ESCAPES)


def quote(text: str, limit: int) -> str:
    """Quote a text on one line, so that it cannot be mistaken for the sentence around it.

    Every value in a question to a person is written by this function.
    """
    return f'"{plain_quotes(sanitize_line(text, limit))}"'


def plain_quotes(text: str) -> str:
    """Replace all kinds of quotation marks by apostrophes, and leave out marks that stand on no letter."""
    return text.replace('"', "'") if text.isascii() else _drop_stacked_marks(text.translate(_PLAIN_QUOTES))


def _drop_stacked_marks(text: str) -> str:
    """Leave out marks without a letter, which can look like a quotation mark, and those that cover other lines."""
    kept: list[str] = []
    room = 0
    for character in text:
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            room -= 1
        else:
            room = _MAX_STACKED_MARKS if category[0] in "LMN" else 0
        if room >= 0:
            kept.append(character)
        else:
            room = 0
    return "".join(kept)


def fold(text: str) -> str:
    """Fold a text to lower-case ASCII for searches: `Bjørn` becomes `bjorn`."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text).translate(_ASCII).lower()


def digits(text: str) -> str:
    """Return the ASCII digits of a text, to compare phone numbers."""
    return "".join(character for character in text if "0" <= character <= "9")


def search_tokens(query: str) -> list[str]:
    """Return the folded words of a query; commas separate words."""
    return fold(query).replace(",", " ").split()
