"""The keys that an authorization server signs with: which are of use, for how long, and when to ask for them again."""

import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import anyio
import jwt

from contacts_mcp.transports.http.access._discovery import PATIENCE, IssuerUnavailable

RETRY_AFTER = 5
"""Seconds between two attempts while there are no keys."""
_PAUSE = 30.0
"""Seconds between two fetches otherwise, however many tokens name keys that nobody knows."""
_FRESH = 3_600.0
_LASTS = 86_400.0
"""Seconds for which keys stay in use while they cannot be fetched again."""
_SHORTEST_RSA = 2048
"""Bits (NIST SP 800-131A)."""

_SIGNS: dict[tuple[str, str], tuple[str, ...]] = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
ALGORITHMS = tuple(name for names in _SIGNS.values() for name in names)
"""Signatures that are accepted (RFC 7518, 3.1; RFC 8037). What is symmetric anybody could forge who can check it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, and the algorithms it may be used with: its type decides, and its own `alg` narrows."""

    kid: str | None
    algorithms: tuple[str, ...]
    public: Any


def keys_in(members: Iterable[Any]) -> list[Key]:
    """The members of a key set (RFC 7517) that signatures can be checked with; all others are passed over."""
    return [key for member in members if isinstance(member, dict) and (key := _key(member))]


def _key(member: dict[str, Any]) -> Key | None:
    kid, named = member.get("kid"), member.get("alg")
    kind = (str(member.get("kty")), str(member.get("crv", "")))
    algorithms = tuple(name for name in _SIGNS.get(kind, ()) if named in (None, name))
    if not algorithms or not isinstance(kid, str | None) or not _is_for_checking(member):
        return None
    try:
        public = jwt.PyJWK(member, algorithms[0]).key
    except Exception:  # noqa: BLE001 - whatever is wrong with one key, the others are of use
        return None
    if kind[0] == "RSA" and public.key_size < _SHORTEST_RSA:
        return None
    return Key(kid, algorithms, public)


def _is_for_checking(member: dict[str, Any]) -> bool:
    """Whether it is a public key for signatures; one published with its private half anybody could sign with."""
    operations = member.get("key_ops", ["verify"])
    is_listed = isinstance(operations, list) and "verify" in operations
    return "d" not in member and member.get("use", "sig") == "sig" and is_listed


class KeyRing:
    """An issuer's keys: fetched on first need and every hour, and earlier for a token that names an unknown one.

    One fetch runs at a time, and those who need its outcome wait for it. Strangers choose what tokens name, so that a
    fetch on their account comes twice a minute at most.
    """

    def __init__(self, load: Callable[[], Awaitable[list[Any]]], clock: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._clock = clock
        self._keys: list[Key] = []
        self._loaded = self._tried = -math.inf
        self._failed = False
        self._loading = anyio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key that a token names; one without a name has to be the only one that fits.

        None where the issuer publishes no such key. Raises IssuerUnavailable where it does not say.
        """
        await self._renew(kid)
        if not self._lasting() or (self._failed and not self._knows(kid)):
            raise IssuerUnavailable("its keys cannot be fetched")
        fitting = [key for key in self._keys if kid in (None, key.kid) and algorithm in key.algorithms]
        return fitting[0] if (kid is not None and fitting) or len(fitting) == 1 else None

    async def _renew(self, kid: str | None) -> None:
        serves = self._lasting() and self._knows(kid)
        if not self._is_due(kid) or (serves and self._loading.locked()):
            return
        async with self._loading:
            if self._is_due(kid):
                await self._load_again()

    async def _load_again(self) -> None:
        try:
            keys = await self._fetched()
        except (IssuerUnavailable, TimeoutError) as exc:
            self._failed = True
            kept = "those fetched before stay in use" if self._lasting() else "no token can be checked"
            _log.warning("the token issuer's keys cannot be fetched: %s; %s", str(exc) or "it takes too long", kept)
        else:
            self._keys, self._loaded, self._failed = keys, self._clock(), False
        finally:
            self._tried = self._clock()

    async def _fetched(self) -> list[Key]:
        with anyio.fail_after(PATIENCE, shield=True):  # who asked first may leave; the others still wait
            keys = keys_in(await self._load())
        if not keys:
            raise IssuerUnavailable("its key set holds no key that is of use here")
        return keys

    def _is_due(self, kid: str | None) -> bool:
        now = self._clock()
        if now - self._tried < (_PAUSE if self._lasting() else RETRY_AFTER):
            return False
        return now - self._loaded > _FRESH or not self._knows(kid)

    def _lasting(self) -> bool:
        return self._clock() - self._loaded <= _LASTS

    def _knows(self, kid: str | None) -> bool:
        return kid is None or any(key.kid == kid for key in self._keys)
