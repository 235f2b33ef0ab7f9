"""Seals state into text that its holder cannot read or forge: a question's state, and records of approvals."""

import hmac
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, TypeAdapter

ANSWER_LIFETIME_SECONDS = 600.0  # how long a question can be answered

_KEY_BYTES = 32
_DERIVED_CHARACTERS = 16

Channel = Literal["form", "panel", "token", "page"]
"""How an answer arrives: in a form, from the panel, as a token, or with the note that a person was given a page."""


@dataclass(frozen=True, slots=True)
class QuestionState:
    """What an answer is bound to: `arguments` and `target` are hashes, `expires` is in seconds since 1970."""

    channel: Channel
    tool: str
    arguments: str
    target: str
    principal: str
    nonce: str
    expires: float

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, defer_build=True)  # refuses another version's state


_STATE = TypeAdapter(QuestionState)


class Seal:
    """Seals state with AES-256-GCM (the SDK's codec).

    `keys` are secrets of at least 32 bytes that replicas share: the first one seals, all of them unseal. Without keys
    the process generates its own, and no other process can unseal its state.
    """

    def __init__(
        self, lifetime_seconds: float, keys: Sequence[str] = (), clock: Callable[[], float] = time.time
    ) -> None:
        from mcp.server.request_state import AESGCMRequestStateCodec  # the settings need this module, and not the SDK

        first, *others = dict.fromkeys(keys) or [secrets.token_hex(_KEY_BYTES)]
        self._codec = AESGCMRequestStateCodec([first, *others])
        self._naming_key = first.encode()
        self.lifetime_seconds = lifetime_seconds
        self.clock = clock

    def seal(self, channel: Channel, tool: str, arguments: str, target: str, principal: str) -> str:
        """Seal the state of a new question."""
        expires = self.clock() + self.lifetime_seconds
        state = QuestionState(channel, tool, arguments, target, principal, secrets.token_hex(16), expires)
        return self._codec.seal(_STATE.dump_json(state))

    def unseal(self, sealed: str) -> QuestionState | None:
        """Return the sealed state, also an expired one; None if it is forged or from another version."""
        from mcp.server.request_state import InvalidRequestState

        try:
            return _STATE.validate_json(self._codec.unseal(sealed))
        except (InvalidRequestState, ValueError):
            return None

    def is_expired(self, state: QuestionState) -> bool:
        """Whether the question can no longer be answered."""
        return self.clock() >= state.expires

    def age_seconds(self, state: QuestionState) -> float:
        """How long ago the question was asked."""
        return self.clock() - (state.expires - self.lifetime_seconds)

    def encrypt(self, name: str, content: bytes) -> str:
        """Seal the content of a record, which only counts under this name."""
        return self._codec.seal(json.dumps([name, content.decode()]).encode())

    def derive_name(self, name: str) -> str:
        """Return a name that servers with the same first key share, and that others cannot guess."""
        digest = hmac.digest(self._naming_key, f"name {name}".encode(), "sha256")
        return f"{name}-{digest.hex()[:_DERIVED_CHARACTERS]}"

    def decrypt(self, name: str, sealed: str) -> str | None:
        """Return the content of a record; None if it was not sealed with one of the keys and under this name."""
        from mcp.server.request_state import InvalidRequestState

        try:
            sealed_name, content = json.loads(self._codec.unseal(sealed))
        except (InvalidRequestState, ValueError, TypeError):
            return None
        return content if sealed_name == name and isinstance(content, str) else None
