"""The audit trail: records in a hash chain, where they go, and how they are read and verified. Knows nothing of MCP."""

from contacts_mcp.audit._callers import CallerActivity, issuers_of, summarize_callers
from contacts_mcp.audit._file import TrailFile, WriteFailed
from contacts_mcp.audit._otlp import OtlpOutput
from contacts_mcp.audit._parts import TrailLine
from contacts_mcp.audit._read import Verification, follow_records, read_before, read_latest, read_records, verify
from contacts_mcp.audit._trail import (
    AuditDestinations,
    AuditRecord,
    LogOutput,
    Outcome,
    Trail,
    TrailUnavailable,
    parse_destinations,
)

__all__ = [
    "AuditDestinations",
    "AuditRecord",
    "CallerActivity",
    "LogOutput",
    "OtlpOutput",
    "Outcome",
    "Trail",
    "TrailFile",
    "TrailLine",
    "TrailUnavailable",
    "Verification",
    "WriteFailed",
    "follow_records",
    "issuers_of",
    "parse_destinations",
    "read_before",
    "read_latest",
    "read_records",
    "summarize_callers",
    "verify",
]
