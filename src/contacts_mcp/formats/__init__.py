"""Contact files: reads CSV, vCard, Excel and JSON of many programs, and writes CSV, vCard and JSON that read back."""

from contacts_mcp.formats._export import FORMATS, FileFormat, Writer
from contacts_mcp.formats._read import read_contacts
from contacts_mcp.formats._rows import MAX_ROWS, ParsedFile, Row

__all__ = ["FORMATS", "MAX_ROWS", "FileFormat", "ParsedFile", "Row", "Writer", "read_contacts"]
