"""The formats of contact files: read whatever their dialect, and written so that they read back."""

from contacts_mcp.formats._read import read_contacts
from contacts_mcp.formats._rows import MAX_ROWS, ParsedFile, Row
from contacts_mcp.formats._write import FORMATS, FileFormat, Writer

__all__ = ["FORMATS", "MAX_ROWS", "FileFormat", "ParsedFile", "Row", "Writer", "read_contacts"]
