"""The guard: may this tool call run? It asks a person, refuses, or lets it proceed, and fails closed."""

from contacts_mcp.guard._guard import (
    ANSWER_LIFETIME_SECONDS,
    ConsentAnswer,
    Guard,
    GuardMode,
    NotConfirmed,
    Preview,
)
from contacts_mcp.guard._guarded_call import Consent, GuardedCall, PromptWording, Target, digest
from contacts_mcp.guard._ledger import MemoryNonceStore, NonceStore, NonceStoreUnavailable
from contacts_mcp.guard._question import Question, Refused
from contacts_mcp.guard._redis import RedisNonceStore
from contacts_mcp.guard._seal import Seal

__all__ = [
    "ANSWER_LIFETIME_SECONDS",
    "Consent",
    "ConsentAnswer",
    "Guard",
    "GuardMode",
    "GuardedCall",
    "MemoryNonceStore",
    "NonceStore",
    "NonceStoreUnavailable",
    "NotConfirmed",
    "Preview",
    "PromptWording",
    "Question",
    "RedisNonceStore",
    "Refused",
    "Seal",
    "Target",
    "digest",
]
