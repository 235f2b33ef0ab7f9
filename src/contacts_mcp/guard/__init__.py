"""The guard: may this tool call run? It asks a person, refuses, or lets the call proceed, and fails closed."""

from contacts_mcp.guard._approvals import (
    Approval,
    Approvals,
    ApprovalStore,
    ApprovalStoreUnavailable,
    Decision,
    FileApprovalStore,
    MemoryApprovalStore,
)
from contacts_mcp.guard._consent import CONSENT_WORDS, Consent, ConsentWord, Rung
from contacts_mcp.guard._guard import (
    MIN_DECISION_SECONDS,
    ConsentAnswer,
    Declined,
    Guard,
    GuardMode,
    NeverShown,
    NotConfirmed,
    Preview,
)
from contacts_mcp.guard._nonces import FileNonceStore, MemoryNonceStore, NonceStore, NonceStoreUnavailable
from contacts_mcp.guard._questions import (
    Choice,
    Choices,
    GuardedCall,
    Prompt,
    PromptWording,
    Question,
    Refused,
    Target,
    build_prompt,
    choice_field,
    chosen_ids,
    hash_json,
    is_yes,
)
from contacts_mcp.guard._redis import RedisStore
from contacts_mcp.guard._seal import ANSWER_LIFETIME_SECONDS, Seal
from contacts_mcp.guard._values import ValueChange

__all__ = [
    "ANSWER_LIFETIME_SECONDS",
    "CONSENT_WORDS",
    "MIN_DECISION_SECONDS",
    "Approval",
    "ApprovalStore",
    "ApprovalStoreUnavailable",
    "Approvals",
    "Choice",
    "Choices",
    "Consent",
    "ConsentAnswer",
    "ConsentWord",
    "Decision",
    "Declined",
    "FileApprovalStore",
    "FileNonceStore",
    "Guard",
    "GuardMode",
    "GuardedCall",
    "MemoryApprovalStore",
    "MemoryNonceStore",
    "NeverShown",
    "NonceStore",
    "NonceStoreUnavailable",
    "NotConfirmed",
    "Preview",
    "Prompt",
    "PromptWording",
    "Question",
    "RedisStore",
    "Refused",
    "Rung",
    "Seal",
    "Target",
    "ValueChange",
    "build_prompt",
    "choice_field",
    "chosen_ids",
    "hash_json",
    "is_yes",
]
