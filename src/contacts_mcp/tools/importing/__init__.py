"""What an import is made of: rows made ready, what each comes to in the directory, and what became of it."""

from contacts_mcp.tools.importing._answer import Imported
from contacts_mcp.tools.importing._decide import OnMatch, Options, decide
from contacts_mcp.tools.importing._draft import draft_of
from contacts_mcp.tools.importing._plan import Import
from contacts_mcp.tools.importing._source import read_source

__all__ = ["Import", "Imported", "OnMatch", "Options", "decide", "draft_of", "read_source"]
