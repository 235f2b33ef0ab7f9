"""Reads the sheets of xlsx files (ECMA-376)."""

import re
from array import array
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import reduce
from posixpath import basename, dirname, join, normpath

from ._package import MAX_DIGITS, Attributes, Damaged, Handler, NumberedRow, Package, Rows, TooLarge, number_text

_MAX_SHARED_BYTES, _MAX_SHARED_TEXTS = 64 * 1024**2, 4_000_000
_MAX_LETTERS = 3
"""Of a column's name."""
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""The numbers of the built-in formats of dates and times."""
_NO_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|general|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_DATE_CODE, _ELAPSED_CODE = re.compile(r"[dmyhs]", re.IGNORECASE), re.compile(r"\[[hms]+\]", re.IGNORECASE)
_ESCAPED_CHARACTER = re.compile(r"_x([0-9A-F]{4})_", re.IGNORECASE)
_FIRST_DAY, _FIRST_DAY_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - cells have no time zone
_DAY_SECONDS = 86_400
_FALSE_LEAP_DAY = 60
"""Excel's calendar has a February 29th in 1900, as the 60th day."""


def find_workbook(package: Package) -> str:
    """Return the path of the part that lists the sheets.

    Raises:
        Damaged: there is none.
    """
    path = dict(_read_relations(package, "").values()).get("officeDocument", "xl/workbook.xml")
    if path not in package:
        raise Damaged
    return path


def read_xlsx(package: Package, path: str) -> Iterator[Iterator[NumberedRow]]:
    """Yield the sheets that a workbook lists, each as its rows; hidden ones last."""
    relations = _read_relations(package, path)
    by_kind = dict(relations.values())
    workbook, styles, shared = _Workbook(), _Styles(), _SharedTexts()
    package.read(path, workbook)
    package.read(by_kind.get("styles", ""), styles)
    package.read(by_kind.get("sharedStrings", ""), shared)
    for _, relation in sorted(workbook.sheets, key=lambda sheet: sheet[0]):
        kind, sheet = relations.get(relation, ("", ""))
        if kind == "worksheet":
            yield package.read_rows(sheet, _Sheet(styles.kinds, shared, workbook.first_day))


def _read_relations(package: Package, path: str) -> dict[str, tuple[str, str]]:
    """Return the kinds and paths of the parts that a part, or the whole package, refers to, by id."""
    relations = _Relations(dirname(path))
    package.read(join(dirname(path), "_rels", f"{basename(path)}.rels"), relations)
    return relations.found


class _Relations(Handler):
    def __init__(self, folder: str) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}
        self._folder = folder

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "Relationship":
            path = normpath(join("/", self._folder, attributes.get("Target", ""))).lstrip("/")
            self.found[attributes.get("Id", "")] = (basename(attributes.get("Type", "")), path)


class _Workbook(Handler):
    """The sheets in their order: whether each is hidden, and the id of its part."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[tuple[bool, str]] = []
        self.first_day = _FIRST_DAY

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "sheet":
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            self.sheets.append((attributes.get("state", "visible") != "visible", relation))
        elif name == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            self.first_day = _FIRST_DAY_1904


class _Styles(Handler):
    """The styles of cells in their order: `date`, `elapsed`, or empty for numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[str] = []
        self._by_format = dict.fromkeys(map(str, _DATE_FORMATS), "date")
        self._is_in_cells = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "numFmt":
            self._by_format[attributes.get("numFmtId", "")] = _kind_of_format(attributes.get("formatCode", ""))
        elif name == "cellXfs":
            self._is_in_cells = True
        elif name == "xf" and self._is_in_cells:
            self.kinds.append(self._by_format.get(attributes.get("numFmtId", ""), ""))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._is_in_cells = False


def _kind_of_format(code: str) -> str:
    codes = _NO_CODE.sub("", code[:200].partition(";")[0])
    return "elapsed" if _ELAPSED_CODE.search(codes) else "date" if _DATE_CODE.search(codes) else ""


class _SharedTexts(Handler):
    """The texts that cells refer to by their number, in little memory."""

    def __init__(self) -> None:
        super().__init__()
        self._texts, self._ends = bytearray(), array("L", [0])
        self._mark = 0

    def __getitem__(self, number: int) -> str:
        if number >= len(self._ends) - 1:
            raise Damaged
        return _unescape(self._texts[self._ends[number] : self._ends[number + 1]].decode())

    def start(self, name: str, attributes: Attributes) -> None:  # noqa: ARG002 - the parser calls it
        if name == "si":
            self.texts.clear()
        elif name == "rPh":
            self._mark = len(self.texts)

    def end(self, name: str) -> None:
        if name == "si":
            self._texts += self.take_text().encode("utf-8", "replace")
            self._ends.append(len(self._texts))
            if len(self._texts) > _MAX_SHARED_BYTES or len(self._ends) > _MAX_SHARED_TEXTS:
                raise TooLarge
        elif name == "rPh":  # how a text is pronounced
            del self.texts[self._mark :]


def _unescape(text: str) -> str:
    return _ESCAPED_CHARACTER.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


class _Sheet(Rows):
    """The rows of a sheet."""

    def __init__(self, kinds: list[str], shared: _SharedTexts, first_day: datetime) -> None:
        super().__init__()
        self._kinds, self._shared, self._first_day = kinds, shared, first_day
        self._columns: dict[str, int] = {}
        self._column = -1
        self._mark = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self.attributes = attributes
            self.texts.clear()
        elif name == "row":
            number = attributes.get("r", "")
            self.number = int(number) if number.isdecimal() and len(number) <= MAX_DIGITS else self.number + 1
            self.cells, self._column = [], -1
        elif name == "rPh":
            self._mark = len(self.texts)

    def end(self, name: str) -> None:
        if name == "c":
            letters = self.attributes.get("r", "").rstrip("0123456789")
            self._column = self._column_of(letters) if letters else self._column + 1
            if self.texts:
                self.put(self._column, self._value(self.take_text()))
        elif name == "f":  # the text of a formula
            self.texts.clear()
        elif name == "row" and self.cells:
            self.rows.append((self.number, self.cells, 1))
        elif name == "rPh":
            del self.texts[self._mark :]

    def _column_of(self, letters: str) -> int:
        if (found := self._columns.get(letters)) is None:
            if not (letters.isascii() and letters.isalpha()) or len(letters) > _MAX_LETTERS:
                raise Damaged
            found = self._columns[letters] = reduce(lambda total, each: total * 26 + int(each, 36) - 9, letters, 0) - 1
        return found

    def _value(self, text: str) -> str:
        kind = self.attributes.get("t", "n")
        if kind == "n":
            return self._number(text.strip())
        if kind == "s":
            number = text.strip()
            return self._shared[int(number)] if number.isdecimal() and len(number) <= MAX_DIGITS else ""
        if kind == "b":
            return str(text.strip() != "0")
        if kind == "d":
            return text.strip().replace("T", " ")
        return "" if kind == "e" else _unescape(text)

    def _number(self, text: str) -> str:
        style = self.attributes.get("s", "0")
        index = int(style) if style.isdecimal() and len(style) <= MAX_DIGITS else 0
        kind = self._kinds[index] if index < len(self._kinds) else ""
        if not kind:
            return number_text(text)
        with suppress(ValueError, OverflowError):  # then it is not a time
            return _time_text(float(text), kind, self._first_day)
        return text


def _time_text(days: float, kind: str, first_day: datetime) -> str:
    """Write a time, which is stored as a number of days."""
    if kind == "elapsed":
        return str(timedelta(seconds=round(days * _DAY_SECONDS)))
    is_time = 0 <= days < 1
    if first_day == _FIRST_DAY and days < _FALSE_LEAP_DAY:
        days += 1
    moment = first_day + timedelta(seconds=round(days * _DAY_SECONDS))
    if is_time:
        return str(moment.time())
    return str(moment if moment.time() != _FIRST_DAY.time() else moment.date())
