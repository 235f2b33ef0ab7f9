"""Sealed state: what a question was about, carried by the client, readable and writable by us alone."""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState
from pydantic import ConfigDict, TypeAdapter

Channel = Literal["form", "token"]


class BrokenSeal(Exception):
    """State that is not ours, was changed, or is too old."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an answer is bound to. `nonce` makes it one of a kind, `expires` is in seconds since 1970."""

    channel: Channel
    tool: str
    arguments: str
    target: str
    principal: str
    nonce: str
    expires: float

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, defer_build=True)  # another version's are not ours


_CLAIMS = TypeAdapter(Claims)


class Seal:
    """Seals claims with AES-256-GCM (the SDK's codec).

    `keys` are secrets of at least 32 bytes that replicas share: the first seals, all open. Without any the key is this
    process's own, and no other can open what it sealed.
    """

    def __init__(self, lifetime: float, keys: Sequence[str] = (), clock: Callable[[], float] = time.time) -> None:
        self._codec = AESGCMRequestStateCodec(list(dict.fromkeys(keys)) or [os.urandom(32)])
        self.lifetime = lifetime
        self._clock = clock

    def close(self, channel: Channel, tool: str, arguments: str, target: str, principal: str) -> str:
        claims = Claims(
            channel, tool, arguments, target, principal, secrets.token_hex(16), self._clock() + self.lifetime
        )
        return self._codec.seal(_CLAIMS.dump_json(claims))

    def open(self, sealed: str) -> Claims:
        """The claims of a seal that is ours and not too old; BrokenSeal for anything else."""
        try:
            claims = _CLAIMS.validate_json(self._codec.unseal(sealed))
        except (InvalidRequestState, ValueError) as exc:
            raise BrokenSeal from exc
        if claims.expires <= self._clock():
            raise BrokenSeal
        return claims
