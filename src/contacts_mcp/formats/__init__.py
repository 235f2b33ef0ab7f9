"""Contact files: reads CSV, vCard, Excel and JSON of many programs, and writes those that many programs read."""

from contacts_mcp.formats._cells import escape_formulas
from contacts_mcp.formats._export import FORMATS, FileFormat, Writer, check_dialect, open_writer
from contacts_mcp.formats._read import read_contacts
from contacts_mcp.formats._rows import MAX_ROWS, ParsedFile, Row
from contacts_mcp.formats._write_csv import write_csv_rows

__all__ = [
    "FORMATS",
    "MAX_ROWS",
    "FileFormat",
    "ParsedFile",
    "Row",
    "Writer",
    "check_dialect",
    "escape_formulas",
    "open_writer",
    "read_contacts",
    "write_csv_rows",
]
