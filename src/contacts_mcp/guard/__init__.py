"""The guard: may this tool call run? It asks a person, refuses, or lets the call proceed, and fails closed."""

from contacts_mcp.guard._file_nonces import FileNonceStore
from contacts_mcp.guard._guard import (
    ANSWER_LIFETIME_SECONDS,
    Consent,
    ConsentAnswer,
    Declined,
    Guard,
    GuardMode,
    MemoryNonceStore,
    NonceStore,
    NonceStoreUnavailable,
    NotConfirmed,
    Preview,
    RedisNonceStore,
    Seal,
)
from contacts_mcp.guard._questions import (
    Choice,
    Choices,
    GuardedCall,
    PromptWording,
    Question,
    Refused,
    Target,
    hash_json,
)

__all__ = [
    "ANSWER_LIFETIME_SECONDS",
    "Choice",
    "Choices",
    "Consent",
    "ConsentAnswer",
    "Declined",
    "FileNonceStore",
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
    "hash_json",
]
