"""The audit trail: records in a chain, where they go, and how they are read and verified. It knows nothing of MCP."""

from contacts_mcp.audit._destinations import Destinations, parse_destinations
from contacts_mcp.audit._file import TrailFile
from contacts_mcp.audit._files import Line
from contacts_mcp.audit._log import LogLines
from contacts_mcp.audit._otlp import Collector
from contacts_mcp.audit._reading import follow, latest, records
from contacts_mcp.audit._record import Outcome, Record, line_of
from contacts_mcp.audit._trail import ChainInMemory, Trail, TrailUnavailable
from contacts_mcp.audit._verify import Verdict, verify

__all__ = [
    "ChainInMemory",
    "Collector",
    "Destinations",
    "Line",
    "LogLines",
    "Outcome",
    "Record",
    "Trail",
    "TrailFile",
    "TrailUnavailable",
    "Verdict",
    "follow",
    "latest",
    "line_of",
    "parse_destinations",
    "records",
    "verify",
]
