"""The decision: a call proceeds, a person is asked, or the call is refused. If anything does not fit, nothing runs.

The state of a question is sealed into a token that the client carries and cannot read or forge. A nonce store makes
each answer count once, on one server or on all replicas that share the store.
"""

import hmac
import logging
import os
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import ConfigDict, TypeAdapter

from contacts_mcp.contract import ContactsError, Risk
from contacts_mcp.guard._questions import (
    KEEP_CHOICE,
    GuardedCall,
    Question,
    Refused,
    build_question,
    chosen_ids,
    describe_preview,
    hash_json,
    is_yes,
)

ANSWER_LIFETIME_SECONDS = 600.0  # how long a question can be answered
_REDIS_KEY_PREFIX = "contacts-mcp:spent:"
_REDIS_TIMEOUT_SECONDS = 2.0  # short, because a person waits for the confirmation to count
_MAX_REDIS_CONNECTIONS = 16
_CLOCK_SKEW_SECONDS = 60.0  # between two replicas; Redis counts a key's lifetime by its own clock

Channel = Literal["form", "token"]
Reply = Literal["accept", "decline", "cancel", "none"]
"""What came of a question: the form, a no, a form that was closed without a choice, or no reply in time."""

_ASK_AGAIN = "nothing was changed; call again only if the person asks for it"
_WHY_DECLINED: Mapping[Reply, tuple[str, str]] = {
    "decline": ("the person declined", "nothing was changed; do not try again"),
    "cancel": ("the question was closed without an answer", _ASK_AGAIN),
    "none": ("the question was not answered in time", _ASK_AGAIN),
}

_log = logging.getLogger(__name__)


class GuardMode(StrEnum):
    """How consent is obtained. No mode switches the guard off."""

    ASK = "ask"  # ask if the host can show a form, otherwise refuse
    TWO_STEP = "two-step"  # ask if the host can show a form, otherwise answer a preview and accept its token
    BLOCK = "block"  # always refuse


class Consent(StrEnum):
    """How a call was allowed to run; the audit trail records it."""

    NONE_NEEDED = "none_needed"
    FORM = "form"  # a person chose the word in a form that the host showed
    FORM_TYPED = "form_typed"  # a person typed the target's name into a form
    TWO_STEP = "two_step_not_verified"  # a token came back; nothing proves that a person saw the preview


ConsentWord = Literal["person", "not needed", "not verified"]
"""What the answer of a call says about consent, so that a model can report it."""

CONSENT_WORDS: Mapping[Consent, ConsentWord] = {
    Consent.NONE_NEEDED: "not needed",
    Consent.FORM: "person",
    Consent.FORM_TYPED: "person",
    Consent.TWO_STEP: "not verified",
}


class NotConfirmed(Refused):
    """The answer does not belong to this call, was used before, or the target has changed since the question."""

    code = "not_confirmed"
    advice = "nothing was changed; the next call asks again"


class Declined(Refused):
    """The question was put to a person, who did not agree. This is a decision or its absence, not a failed call."""


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """The host's answer to a question: the sealed state, what came of the question, and the form's content."""

    state: str | None
    reply: Reply = "accept"
    content: Mapping[str, Any] | None = None
    channel: Channel = "form"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a two-step call would do, and the token that allows it once within `lifetime_seconds`."""

    message: str
    token: str
    lifetime_seconds: float


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

        self._codec = AESGCMRequestStateCodec(list(dict.fromkeys(keys)) or [os.urandom(32)])
        self.lifetime_seconds = lifetime_seconds
        self._clock = clock

    def seal(self, channel: Channel, tool: str, arguments: str, target: str, principal: str) -> str:
        """Seal the state of a new question."""
        expires = self._clock() + self.lifetime_seconds
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
        return self._clock() >= state.expires


class NonceStoreUnavailable(ContactsError):
    """The store cannot tell whether an answer was used before, so the answer does not count."""

    code = "nonce_store_unavailable"
    advice = "nothing was changed; try again later"

    def __init__(self) -> None:
        super().__init__("cannot check whether the answer was used before")


class NonceStore(Protocol):
    """Accepts each nonce once, on this server or on all servers that share the store."""

    async def spend(self, nonce: str, expires: float) -> bool:
        """Whether this is the first use. `expires` is in seconds since 1970. Raises NonceStoreUnavailable."""
        ...


class MemoryNonceStore:
    """The nonce store of a single process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._used_nonces: dict[str, float] = {}
        self._clock = clock

    async def spend(self, nonce: str, expires: float) -> bool:
        """See NonceStore. Nothing is awaited between the look-up and the entry, so that two calls cannot both win."""
        now = self._clock()
        # Entries are in order of insertion, so only expired ones are visited; one behind a later expiry waits for it.
        while self._used_nonces and (oldest := next(iter(self._used_nonces.items())))[1] <= now:
            del self._used_nonces[oldest[0]]
        if nonce in self._used_nonces:
            return False
        self._used_nonces[nonce] = expires
        return True


class RedisNonceStore:
    """A nonce store in Redis, shared by several servers. Needs the extra `redis`.

    A nonce whose entry got no reply counts as used, since Redis may have stored it. Raises ValueError if the URL is
    invalid or the extra is missing; the message never quotes the URL.
    """

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.exceptions import RedisError
        except ModuleNotFoundError:
            raise ValueError("CONTACTS_MCP_REDIS_URL needs the extra `redis` of wayscloud-contacts-mcp") from None
        limits = {"max_connections": _MAX_REDIS_CONNECTIONS, "timeout": _REDIS_TIMEOUT_SECONDS}
        timeouts = {"socket_timeout": _REDIS_TIMEOUT_SECONDS, "socket_connect_timeout": _REDIS_TIMEOUT_SECONDS}
        try:
            pool = BlockingConnectionPool.from_url(url, **limits, **timeouts)
            pool.connection_class(**pool.connection_kwargs)  # rejects unknown options, without connecting
        except (ValueError, TypeError):  # the message quotes the URL, which may hold a password
            raise ValueError("CONTACTS_MCP_REDIS_URL must be a URL such as redis://host:6379/0") from None
        self._redis = Redis.from_pool(pool)
        self._errors = (RedisError, OSError, TimeoutError, UnicodeError)

    async def spend(self, nonce: str, expires: float) -> bool:
        """See NonceStore."""
        lifetime = max(0.0, expires - time.time()) + _CLOCK_SKEW_SECONDS
        try:
            return bool(await self._redis.set(_REDIS_KEY_PREFIX + nonce, b"", nx=True, px=int(lifetime * 1000)))
        except self._errors as exc:
            _log.warning("Redis does not answer (%s), so no confirmation counts", type(exc).__name__)
            raise NonceStoreUnavailable from None

    async def check_ready(self) -> None:
        """Raise NonceStoreUnavailable if Redis does not answer."""
        try:
            await self._redis.get(_REDIS_KEY_PREFIX)  # `ping` is not typed
        except self._errors:
            raise NonceStoreUnavailable from None

    async def aclose(self) -> None:
        await self._redis.aclose()


class Guard:
    """Decides on every DESTROY and ERASE call, and on WRITE calls of the tools that the operator names in `confirm`."""

    def __init__(
        self,
        mode: GuardMode = GuardMode.ASK,
        confirm: Collection[str] = (),
        *,
        seal: Seal | None = None,
        nonce_store: NonceStore | None = None,
    ) -> None:
        self.mode = mode
        self._confirm = frozenset(confirm)
        self._seal = seal or Seal(ANSWER_LIFETIME_SECONDS)
        self._nonce_store = nonce_store or MemoryNonceStore()

    def requires_consent(self, tool: str, risk: Risk) -> bool:
        """Whether calls of this tool and risk need consent."""
        return risk in (Risk.DESTROY, Risk.ERASE) or (risk is Risk.WRITE and tool in self._confirm)

    async def decide(
        self, call: GuardedCall, answer: ConsentAnswer | None, *, can_ask: bool
    ) -> Consent | Question | Preview:
        """Return the consent if the call may run now, else what a person has to see first.

        Raises:
            Declined: the person did not agree, or not in time.
            Refused: the call must not run, or its effect is too long to show to a person.
            NonceStoreUnavailable: the store cannot tell whether the answer was used before.
            ContactsError: the target cannot be read.
        """
        if not (call.needs_consent or self.requires_consent(call.tool, call.risk)):
            return Consent.NONE_NEEDED
        if self.mode is GuardMode.BLOCK:
            raise Refused(f"the operator has blocked {call.tool}", advice="nothing was changed")
        if not can_ask and (self.mode is GuardMode.ASK or (answer is not None and answer.channel == "form")):
            raise Refused(
                f"{call.tool} needs a person's consent, and this host cannot ask for it",
                advice="nothing was changed; the operator decides what to do",
            )
        return await (self._ask(call, can_ask=can_ask) if answer is None else self._check(call, answer))

    async def _ask(self, call: GuardedCall, *, can_ask: bool) -> Question | Preview:
        target = await call.read_target()
        channel: Channel = "form" if can_ask else "token"
        state = self._seal.seal(channel, call.tool, hash_json(call.arguments), target.fingerprint, call.principal)
        if can_ask:
            return build_question(call, target, state, self._seal.lifetime_seconds)
        return Preview(describe_preview(call, target), state, self._seal.lifetime_seconds)

    async def _check(self, call: GuardedCall, answer: ConsentAnswer) -> Consent:
        state = await self._unseal_once(call, answer)
        if answer.reply != "accept":
            raise _declined(answer.reply)
        if KEEP_CHOICE in (answer.content or {}).values():
            raise _declined("decline")
        target = await call.read_target()
        if not hmac.compare_digest(state.target, target.fingerprint):
            raise NotConfirmed("the target was changed after the question was asked")
        if answer.channel == "token":
            return Consent.TWO_STEP
        if not is_yes(call, target, answer.content):
            raise Declined("the form was not filled in as the question asked", advice=_ASK_AGAIN)
        call.choose(chosen_ids(target, answer.content))
        return Consent.FORM_TYPED if call.risk is Risk.ERASE else Consent.FORM

    async def _unseal_once(self, call: GuardedCall, answer: ConsentAnswer) -> QuestionState:
        """Return the state of an answer that belongs to this very call and was not used before."""
        state = self._seal.unseal(answer.state or "")
        if state is None:
            raise NotConfirmed("the answer belongs to no open question")
        bound_to = (state.channel, state.tool, state.arguments, state.principal)
        if bound_to != (answer.channel, call.tool, hash_json(call.arguments), call.principal):
            raise NotConfirmed("the answer belongs to another question")
        if self._seal.is_expired(state):
            raise _declined("none")
        if not await self._nonce_store.spend(state.nonce, state.expires):
            raise NotConfirmed(
                "the answer was used before",
                advice="this call changed nothing, but the call that used the answer may have: read the record again",
            )
        return state


def _declined(reply: Reply) -> Declined:
    message, advice = _WHY_DECLINED[reply]
    return Declined(message, advice=advice)
