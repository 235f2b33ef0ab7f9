"""Parses the parts of a workbook, which is a zip archive of XML files, and counts what that unpacks."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from xml.parsers.expat import ParserCreate

NumberedRow = tuple[int, list[str]]
Attributes = dict[str, str]

MAX_COLUMNS = 1_000
MAX_DIGITS = 7
"""Of the numbers of rows and of texts."""
_CHUNK_BYTES = 256 * 1024
_MAX_XML_BYTES = 512 * 1024**2
"""Of all parts that are read; a sheet of 100,000 rows and 20 columns has about 100 MB."""
_MAX_TEXT_LENGTH = 8 * 1024**2
"""Of a text that is being read; a cell can have 32,767 characters."""


class TooLarge(Exception):
    """The workbook exceeds a limit."""


class Damaged(Exception):
    """The workbook is not built as its format says."""


class Handler:
    """What the parser of a part calls.

    Attributes:
        texts: What was read of the current text; elements whose text does not count remove theirs.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        """Begin an element; its name has no prefix."""

    def end(self, name: str) -> None:
        """End an element."""

    def take_text(self) -> str:
        """Return the text that was read, and forget it."""
        text = "".join(self.texts)
        self.texts.clear()
        return text


class Rows(Handler):
    """The rows of a sheet as far as they are parsed.

    Attributes:
        rows: Numbers and cells of the rows that are not blank, and how often each is repeated.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, list[str], int]] = []
        self.number = 0
        self.cells: list[str] = []
        self.attributes: Attributes = {}

    def put(self, column: int, text: str, repeats: int = 1) -> None:
        """Put a text that is not blank into cells of the current row, from a column on.

        Raises:
            TooLarge: the cell is too far on the right.
        """
        if not text or text.isspace():
            return
        if column + repeats > MAX_COLUMNS:
            raise TooLarge
        gap = column - len(self.cells)
        if gap < 0:
            self.cells += [""] * (repeats + gap)
            self.cells[column : column + repeats] = [text] * repeats
            return
        self.cells += [*[""] * gap, *[text] * repeats]


class Package:
    """A workbook's parts."""

    def __init__(self, data: bytes) -> None:
        self._archive = zipfile.ZipFile(BytesIO(data))
        self._parts = {info.filename.replace("\\", "/").lower(): info for info in self._archive.infolist()}
        self._bytes_left = _MAX_XML_BYTES

    def __contains__(self, path: str) -> bool:
        return path.lower() in self._parts

    def parse(self, path: str, handler: Handler) -> Iterator[None]:
        """Parse a part, and yield after each chunk. A missing part is empty.

        Raises:
            TooLarge: a text, or all parts together, exceed their limit.
            Damaged: the part has a document type, whose entities could grow without end.
        """
        if path not in self:
            return
        parser = ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse

        def choose_handlers(name: str, attributes: Attributes) -> None:
            if ":" in name:
                parser.StartElementHandler = lambda name, found: handler.start(name.rpartition(":")[2], found)
                parser.EndElementHandler = lambda name: handler.end(name.rpartition(":")[2])
            else:  # as most programs write it, which is faster
                parser.StartElementHandler, parser.EndElementHandler = handler.start, handler.end
            handler.start(name.rpartition(":")[2], attributes)

        parser.StartElementHandler = choose_handlers
        parser.CharacterDataHandler = handler.texts.append
        with self._archive.open(self._parts[path.lower()]) as part:
            while chunk := part.read(_CHUNK_BYTES):
                self._bytes_left -= len(chunk)
                if self._bytes_left < 0:
                    raise TooLarge
                parser.Parse(chunk)
                if sum(map(len, handler.texts)) > _MAX_TEXT_LENGTH:
                    raise TooLarge
                yield
        parser.Parse(b"", True)
        yield

    def read(self, path: str, handler: Handler) -> None:
        """Parse a whole part."""
        for _ in self.parse(path, handler):
            pass

    def read_rows(self, path: str, rows: Rows) -> Iterator[NumberedRow]:
        """Parse a part, and yield its rows meanwhile."""
        for _ in self.parse(path, rows):
            for number, cells, repeats in rows.rows:
                for repeat in range(repeats):
                    yield number + repeat, cells
            rows.rows.clear()


def _refuse(*_: object) -> None:
    raise Damaged


def number_text(number: str) -> str:
    """Write a number as text; a whole one without decimals, as phone numbers may be stored as floats."""
    if number.isdecimal():
        return number
    try:
        return float_text(float(number))
    except ValueError:
        return number


def float_text(number: float) -> str:
    """Write a number as text; a whole one without decimals."""
    return str(int(number)) if number.is_integer() else str(number)


def count_of(attributes: Attributes, name: str) -> int:
    """Return an attribute that counts something; 1 if it is missing."""
    text = attributes.get(name, "")
    return max(1, int(text)) if text.isdecimal() and len(text) <= MAX_DIGITS else 1
