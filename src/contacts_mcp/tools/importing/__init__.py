"""What an import is made of: rows made ready, what each comes to in the directory, and what became of it."""

from contacts_mcp.tools.importing._decide import Decision, OnMatch, Options, decide
from contacts_mcp.tools.importing._draft import Draft, draft_of
from contacts_mcp.tools.importing._results import as_csv
from contacts_mcp.tools.importing._source import Source, read_source

__all__ = ["Decision", "Draft", "OnMatch", "Options", "Source", "as_csv", "decide", "draft_of", "read_source"]
