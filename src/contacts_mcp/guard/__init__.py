"""The guard: may this tool call run? It asks a person, refuses, or lets it proceed, and fails closed."""

from contacts_mcp.guard._deed import Act, Consent, Deed, Target, digest
from contacts_mcp.guard._guard import (
    ANSWER_LIFETIME,
    Answer,
    Guard,
    GuardMode,
    NotConfirmed,
    Preview,
)
from contacts_mcp.guard._ledger import Ledger, LedgerUnavailable, MemoryLedger
from contacts_mcp.guard._question import Question, Refused
from contacts_mcp.guard._redis import RedisLedger
from contacts_mcp.guard._seal import Seal

__all__ = [
    "ANSWER_LIFETIME",
    "Act",
    "Answer",
    "Consent",
    "Deed",
    "Guard",
    "GuardMode",
    "Ledger",
    "LedgerUnavailable",
    "MemoryLedger",
    "NotConfirmed",
    "Preview",
    "Question",
    "RedisLedger",
    "Refused",
    "Seal",
    "Target",
    "digest",
]
