"""Cells of text that no spreadsheet evaluates or changes, and that read back exactly.

A spreadsheet may split a file at another separator than the one that it was written with, so every place where a cell
could begin counts: the start of a value, and what follows a comma, semicolon, tab or line end inside of it. A sign of a
formula there gets an apostrophe in front, behind quotes and spaces. If apostrophes stand there already, one more is
added, so that reading can remove exactly one.
"""

import re
from collections.abc import Callable

from contacts_mcp import phones

_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
"""What a formula begins with; Japanese versions of Excel also take the fullwidth forms."""
_SEPARATORS = r",;\t\r\n"
_BLANKS = r'\s"\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff'
"""What programs may remove at the start of a cell: spaces, quotes and characters that cannot be seen."""
_SIGN = re.compile(rf"[{_SIGNS}]")
_CELL_START = re.compile(rf"((?:\A|[{_SEPARATORS}])[{_BLANKS}{_SEPARATORS}]*+)('*+)([{_SIGNS}]?)")

_MONTHS = (
    "jan|feb|fev|mar|mrz|m\xe4r|apr|abr|avr|mai|may|maj|jun|jul|aug|ago|aou|sep|set|okt|oct|out|nov|des|dec|dez|dic"
)
_CHANGED = re.compile(
    r"0\d+|\d{12,}"  # leading zeros, and digits that become an exponent
    r"|(?=.*\d)\d*(?:[.,]\d*)+|\d+(?:[.,]\d*)?E[+-]?\d+|\d+(?:[.,]\d+)? ?%"  # other numbers
    r"|\d{1,4}[-/. ]\d{1,2}(?:[-/. ]\d{1,4})?|\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]m)?"  # dates and times
    rf"|\d{{1,4}}[-/. ]?(?:{_MONTHS})[a-z]{{0,6}}\.?(?:[-/. ]?\d{{1,4}})?|(?:{_MONTHS})[a-z]{{0,6}}\.?[-/. ]?\d{{1,4}}",
    re.IGNORECASE | re.ASCII,
)
"""Text with digits that a spreadsheet takes for a number or a date, and writes in another form."""
_CHANGED_WORDS = frozenset(
    "true false sann usann sandt falsk sant falskt wahr falsch vrai faux verdadero falso waar onwaar vero".split()
)


def escape_formulas(value: str) -> str:
    """Return a cell of which no part is a formula, whatever separator the file is split at."""
    return _change_signs(value, lambda apostrophes: f"'{apostrophes}") if _SIGN.search(value) else value


def unescape_formulas(cell: str) -> str:
    """Undo `escape_formulas`."""
    return _change_signs(cell, lambda apostrophes: apostrophes[1:]) if "'" in cell else cell


def escape(value: str) -> str:
    """Return a cell that is no formula, and that a spreadsheet keeps as it is written, such as `'007`."""
    return _add_mark(escape_formulas(value), _is_changed)


def escape_number(number: str) -> str:
    """Return a cell with a phone number. E.164 stays as it is: a spreadsheet can only drop its plus.

    Other digits that would be a valid number with a plus are marked, so that reading knows which ones have lost it.
    """
    return number if phones.is_e164(number) else _add_mark(escape_formulas(number), _is_changed_number)


def escape_typed(value: str) -> str:
    """Return a cell for a workbook, whose cells are typed as text: only what `unescape` would change is escaped."""
    if "'" not in value:
        return value
    text = _change_signs(value, lambda apostrophes: apostrophes and f"'{apostrophes}")
    return _add_mark(text, _is_changed) if value.startswith("'") else text


def escape_typed_number(number: str) -> str:
    """Return a cell with a phone number for a workbook; see `escape_typed` and `escape_number`."""
    return f"'{number}" if _has_lost_plus(number.lstrip("'")) else escape_typed(number)


def unescape(cell: str) -> str:
    """Undo `escape` and `escape_typed`."""
    return unescape_formulas(_remove_mark(cell, _is_changed)) if "'" in cell else cell


def unescape_number(cell: str) -> str:
    """Undo `escape_number` and `escape_typed_number`, and restore a plus that a spreadsheet has dropped."""
    if "'" in cell:
        return unescape_formulas(_remove_mark(cell, _is_changed_number))
    return f"+{cell}" if _has_lost_plus(cell) else cell


def _change_signs(text: str, change: Callable[[str], str]) -> str:
    """Change the apostrophes before each sign at which a cell could begin."""
    return _CELL_START.sub(lambda found: f"{found[1]}{change(found[2])}{found[3]}" if found[3] else found[0], text)


def _add_mark(value: str, needs_mark: Callable[[str], bool]) -> str:
    return f"'{value}" if needs_mark(value.lstrip("'")) else value


def _remove_mark(cell: str, needs_mark: Callable[[str], bool]) -> str:
    return cell[1:] if cell.startswith("'") and needs_mark(cell.lstrip("'")) else cell


def _is_changed(value: str) -> bool:
    if value.isalpha():  # which is faster than the pattern, and usual
        return value.isascii() and value.lower() in _CHANGED_WORDS
    return _CHANGED.fullmatch(value) is not None


def _is_changed_number(number: str) -> bool:
    return _is_changed(number) or _has_lost_plus(number)


def _has_lost_plus(number: str) -> bool:
    return number.isascii() and number.isdecimal() and phones.is_valid(f"+{number}")
