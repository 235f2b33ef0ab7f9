"""The audit trail: records in a hash chain, where they go, and how they are read and verified. Knows nothing of MCP."""

from contacts_mcp.audit._file import TrailFile, WriteFailed
from contacts_mcp.audit._otlp import OtlpOutput
from contacts_mcp.audit._parts import TrailLine
from contacts_mcp.audit._read import Verification, follow_records, read_latest, read_records, verify
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
    "parse_destinations",
    "read_latest",
    "read_records",
    "verify",
]
