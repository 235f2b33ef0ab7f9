"""The keys that an authorization server signs tokens with: where they are found, and how long they are used."""

import json
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import jwt
from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls

from contacts_mcp.client import is_loopback
from contacts_mcp.text import quote

RETRY_INTERVAL_SECONDS = 5
"""Minimum time between two fetches while there are no keys."""
FETCH_TIMEOUT_SECONDS = 5.0
"""Time limit for fetching metadata and keys together."""
_FETCH_INTERVAL_SECONDS = 30.0
"""Minimum time between two fetches otherwise, even if many tokens name unknown keys."""
_REFRESH_INTERVAL_SECONDS = 3_600.0
_MAX_KEY_AGE_SECONDS = 86_400.0
"""How long keys stay in use while they cannot be fetched again."""
MAX_DOCUMENT_BYTES = 256 * 1024
"""Metadata and keys together have some 10,000 bytes."""
_MIN_RSA_BITS = 2048
"""NIST SP 800-131A."""
_MAX_SHOWN_CHARACTERS = 200
_URL = re.compile(r"[A-Za-z0-9:/?@!$&'()*+,;=._~%\[\]-]+")  # RFC 3986, without the fragment's sign

_ALGORITHMS_OF_KEY: dict[tuple[str, str], tuple[str, ...]] = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
ALGORITHMS = tuple(name for names in _ALGORITHMS_OF_KEY.values() for name in names)
"""Accepted signatures (RFC 7518, 3.1; RFC 8037). Symmetric ones could be forged by everyone who can check them."""

T = TypeVar("T")
Fetch = Callable[[str], Awaitable[bytes]]
"""Gets the body of a URL. Raises IssuerUnavailable, or UnusableAnswer if another URL may have more."""

_log = logging.getLogger(__name__)


class IssuerUnavailable(Exception):
    """The authorization server's keys cannot be fetched now, so that no token can be checked."""


class UnusableAnswer(IssuerUnavailable):
    """The authorization server answered, but not with the document that was requested."""


class SigningKeys:
    """An issuer's public keys: fetched on first use and every hour, and earlier if a token names an unknown one.

    One fetch runs at a time, and only callers who need its outcome wait for it. Callers choose what their tokens name,
    so an unknown key causes at most two fetches a minute. Keys stay in use for a day while the issuer is down.

    PyJWKClient with its caches holds a lock while it fetches, so that tokens with known keys wait too; during an outage
    it discards expired keys, and fetches for every token, as it always does without its caches; it cannot limit the
    total time or the size of an answer.
    """

    def __init__(self, issuer: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._keys: list[jwt.PyJWK] = []
        self._fetched_at = self._tried_at = -math.inf
        self._has_failed = self._is_expired = False
        self._lock = anyio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key that a token names, or the only key that fits a token which names none.

        Returns None if the issuer publishes no such key. Raises IssuerUnavailable if that is not known.
        """
        await self._refresh(kid)
        if not self._are_usable() or (self._has_failed and not self._knows(kid)):
            raise IssuerUnavailable("its keys cannot be fetched")
        matches = [key for key in self._keys if kid in (None, key.key_id) and key.algorithm_name == algorithm]
        return matches[0] if matches and (kid is not None or len(matches) == 1) else None

    def expire(self) -> None:
        """Fetch the keys again when one is next needed, unless they were just fetched."""
        self._is_expired = True

    async def _refresh(self, kid: str | None) -> None:
        is_served = self._are_usable() and self._knows(kid)
        if not self._is_due(kid) or (is_served and self._lock.locked()):
            return
        async with self._lock:
            if self._is_due(kid):
                await self._load()

    async def _load(self) -> None:
        try:
            with anyio.fail_after(FETCH_TIMEOUT_SECONDS, shield=True):  # other callers wait for it, too
                members = await _fetch_key_set(self._issuer, self._fetch)
            self._keys = jwt.PyJWKSet(usable_keys(members)).keys
        except (IssuerUnavailable, TimeoutError, jwt.PyJWKSetError) as exc:
            self._has_failed = True
            effect = "those fetched before stay in use" if self._are_usable() else "no token can be checked"
            _log.warning("cannot fetch the token issuer's keys: %s; %s", str(exc) or "it takes too long", effect)
        else:
            self._fetched_at, self._has_failed = self._clock(), False
            self._is_expired = False
        finally:
            self._tried_at = self._clock()

    def _is_due(self, kid: str | None) -> bool:
        now = self._clock()
        is_urgent = self._is_expired or not self._are_usable()
        interval = RETRY_INTERVAL_SECONDS if is_urgent else _FETCH_INTERVAL_SECONDS
        if now - self._tried_at < interval:
            return False
        return self._is_expired or now - self._fetched_at > _REFRESH_INTERVAL_SECONDS or not self._knows(kid)

    def _are_usable(self) -> bool:
        return self._clock() - self._fetched_at <= _MAX_KEY_AGE_SECONDS

    def _knows(self, kid: str | None) -> bool:
        return kid is None or any(key.key_id == kid for key in self._keys)


def usable_keys(members: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the keys of a key set (RFC 7517) that may check signatures, one for each algorithm."""
    return [{**key, "alg": name} for key in members if isinstance(key, dict) for name in _algorithms_of(key)]


def _algorithms_of(key: dict[str, Any]) -> tuple[str, ...]:
    """Return the algorithms that the key may be used with: its type decides, its `alg` narrows."""
    kind = (str(key.get("kty")), str(key.get("crv", "")))
    algorithms = tuple(name for name in _ALGORITHMS_OF_KEY.get(kind, ()) if key.get("alg") in (None, name))
    if not algorithms or not isinstance(key.get("kid"), str | None) or not _is_for_verifying(key):
        return ()
    try:
        public = jwt.PyJWK(key, algorithms[0]).key
    except Exception:  # noqa: BLE001 - whatever is wrong with one key, the others are usable
        return ()
    return () if kind[0] == "RSA" and public.key_size < _MIN_RSA_BITS else algorithms


def _is_for_verifying(key: dict[str, Any]) -> bool:
    """Whether the key is a public key for signatures. With a published private half, everyone could sign."""
    operations = key.get("key_ops", ["verify"])
    is_listed = isinstance(operations, list) and "verify" in operations
    return "d" not in key and key.get("use", "sig") == "sig" and is_listed


def is_trustworthy(url: str) -> bool:
    """Whether answers from a URL cannot be tampered with: https, or http within this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not _URL.fullmatch(url) or "@" in parts.netloc or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def metadata_urls(issuer: str) -> list[str]:
    """Where the metadata of an issuer may be, most likely first: RFC 8414 (3.1 and 5), OpenID Connect Discovery (4)."""
    return build_oauth_authorization_server_metadata_discovery_urls(issuer, issuer)


async def _fetch_key_set(issuer: str, fetch: Fetch) -> list[Any]:
    """Return the members of the issuer's JSON Web Key set, unchecked. Raises IssuerUnavailable."""
    url = await read_metadata(issuer, fetch, lambda metadata: metadata.url("jwks_uri"))
    keys = (await _fetch_object(url, fetch)).get("keys")
    if not isinstance(keys, list):
        raise UnusableAnswer(f"{url} holds no key set")
    return keys


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata of an issuer, and the URL at which it was found."""

    found_at: str
    issuer: str
    members: dict[str, Any]

    def url(self, name: str) -> str:
        """Return the URL that a member names. Raises UnusableAnswer if it could be tampered with."""
        url = self.members.get(name)
        if not isinstance(url, str):
            raise UnusableAnswer(f"{self.found_at} has no {name}")
        if not is_trustworthy(url) or (is_https(self.issuer) and not is_https(url)):
            raise UnusableAnswer(f"{self.found_at} names a {name} that is not an https URL")
        return url


async def read_metadata(issuer: str, fetch: Fetch, read: Callable[[Metadata], T]) -> T:
    """Return what `read` finds in the first usable metadata of an issuer.

    `read` raises UnusableAnswer if something is missing. Raises IssuerUnavailable.
    """
    faults = []
    for url in metadata_urls(issuer):
        try:
            return read(await _fetch_metadata(url, issuer, fetch))
        except UnusableAnswer as exc:
            faults.append(str(exc))
    raise UnusableAnswer("; ".join(faults))


async def _fetch_metadata(url: str, issuer: str, fetch: Fetch) -> Metadata:
    """Return metadata that is the issuer's own (RFC 8414, 3.3)."""
    members = await _fetch_object(url, fetch)
    named = members.get("issuer")
    if named != issuer:
        shown = quote(str(named), _MAX_SHOWN_CHARACTERS)
        raise UnusableAnswer(f"{url} is of the issuer {shown}, not of {quote(issuer, _MAX_SHOWN_CHARACTERS)}")
    return Metadata(url, issuer, members)


async def _fetch_object(url: str, fetch: Fetch) -> dict[str, Any]:
    try:
        document = json.loads(await fetch(url))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnusableAnswer(f"{url} holds no JSON object")
    return document


async def fetch_document(url: str) -> bytes:
    """GET a URL. Redirects are not followed: they could lead anywhere."""
    import httpx

    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}  # compression would hide the size
    try:
        async with (
            # A proxy from the environment must not see what stays on this machine.
            httpx.AsyncClient(headers=headers, timeout=FETCH_TIMEOUT_SECONDS, trust_env=is_https(url)) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != HTTPStatus.OK:
                raise UnusableAnswer(f"{url} answered {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise UnusableAnswer(f"{url} answered with more than {MAX_DOCUMENT_BYTES // 1024} KiB")
            return bytes(body)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
        raise IssuerUnavailable(f"no answer from {url} ({type(exc).__name__})") from exc


def is_https(url: str) -> bool:
    """Whether a URL is one of https."""
    return urlsplit(url).scheme == "https"
