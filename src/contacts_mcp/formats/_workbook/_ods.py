"""Reads the sheets of ods files (OpenDocument)."""

from collections.abc import Iterator

from ._package import Attributes, NumberedRow, Package, Rows, count_of, number_text

CONTENT = "content.xml"
"""The part with the sheets."""
_CELLS = ("table-cell", "covered-table-cell")
_NOT_IN_CELLS = frozenset("annotation shapes frame custom-shape rect line ellipse control g ruby-text".split())
"""Elements inside of a cell whose text is not the cell's, such as comments."""
_SPACES = {"tab": "\t", "line-break": "\n"}
_MAX_SPACES = 1_000
_NUMBERS = ("float", "currency", "percentage")


def read_ods(package: Package) -> Iterator[Iterator[NumberedRow]]:
    """Yield the first visible sheet that is not blank, then the first hidden one, each as its rows."""
    for is_hidden in (False, True):
        yield package.read_rows(CONTENT, _Tables(is_hidden=is_hidden))


class _Tables(Rows):
    """The first table that is not blank; either of the visible tables or of the hidden ones."""

    def __init__(self, *, is_hidden: bool) -> None:
        super().__init__()
        self._is_hidden = is_hidden
        self._hidden_styles: set[str] = set()
        self._style = ""
        self._column, self._repeats = 0, 1
        self._ignored_depth, self._mark, self._kept = 0, 0, 0
        self._is_chosen = self._is_filled = False

    def start(self, name: str, attributes: Attributes) -> None:
        if self._ignored_depth or name in _NOT_IN_CELLS:
            if not self._ignored_depth:
                self._mark = len(self.texts)
            self._ignored_depth += 1
        elif name == "style":
            self._style = attributes.get("style:name", "")
        elif name == "table-properties" and attributes.get("table:display") == "false":
            self._hidden_styles.add(self._style)
        elif name == "table":
            is_hidden = attributes.get("table:style-name", "") in self._hidden_styles
            self._is_chosen = is_hidden == self._is_hidden and not self._is_filled
            self.number = 1
        elif name == "table-row":
            self._repeats, self.cells, self._column = count_of(attributes, "table:number-rows-repeated"), [], 0
        elif name in _CELLS:
            self.attributes, self._kept = attributes, 0
            self.texts.clear()
        else:
            self._start_in_text(name, attributes)

    def _start_in_text(self, name: str, attributes: Attributes) -> None:
        if name == "p":
            self._end_paragraph()
            if self.texts:
                self.texts.append("\n")
        elif name == "s":
            self.texts.append(" " * min(_MAX_SPACES, count_of(attributes, "text:c")))
        elif name in _SPACES:
            self.texts.append(_SPACES[name])

    def _end_paragraph(self) -> None:
        """Forget the text after the last paragraph, such as the indentation of the next one."""
        del self.texts[self._kept :]

    def end(self, name: str) -> None:
        if self._ignored_depth:
            self._ignored_depth -= 1
            if not self._ignored_depth:
                del self.texts[self._mark :]
        elif name == "p":
            self._kept = len(self.texts)
        elif name in _CELLS:
            self._end_cell()
        elif name == "table-row":
            if self.cells and self._is_chosen:
                self._is_filled = True
                self.rows.append((self.number, self.cells, self._repeats))
            self.number += self._repeats

    def _end_cell(self) -> None:
        self._end_paragraph()
        self._kept = 0
        repeats = count_of(self.attributes, "table:number-columns-repeated")
        if self._is_chosen:
            self.put(self._column, self._value(self.take_text()), repeats)
        self._column += repeats

    def _value(self, text: str) -> str:
        kind = self.attributes.get("office:value-type", "")
        if kind in _NUMBERS:
            return number_text(self.attributes.get("office:value", text))
        if kind == "date":
            return self.attributes.get("office:date-value", text).replace("T", " ")
        if kind == "boolean":
            return str(self.attributes.get("office:boolean-value") == "true")
        return self.attributes.get("office:string-value", text)
