"""Checking the signed tokens of one authorization server: whom they were issued to, for whom, and what they allow."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt

from contacts_mcp.transports.http.access._discovery import Fetch, fetch_document, is_trustworthy, published_keys
from contacts_mcp.transports.http.access._jwks import ALGORITHMS, Key, KeyRing

LEEWAY = 30
"""Seconds by which clocks may differ."""
_LARGEST_TOKEN = 16 * 1024
_SIGNED = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)  # RFC 7515, 7.1; neither encrypted nor unsigned
_TYPES = ("jwt", "at+jwt")
_REQUIRED = ["iss", "aud", "sub", "exp"]
_TIMES = ("exp", "nbf", "iat")
_LATEST = 253_402_300_799  # the end of the year 9999

# PyJWT checks the signature first, so that the other reasons are told to nobody but who holds a genuine token.
_REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token was issued for another audience",
    jwt.InvalidIssuerError: "the token comes from another issuer",
    jwt.MissingRequiredClaimError: "the token lacks a claim that is required",
    jwt.InvalidSignatureError: "the signature of the token is wrong",
}
_FAULTS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class BadToken(Exception):
    """A token that is not accepted. The words are fixed ones: they hold nothing of the token."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says.

    `expires` is when it stops being accepted, in seconds since 1970, with the leeway. A subject may be somebody's
    e-mail address.
    """

    issuer: str
    subject: str = field(repr=False)
    scopes: frozenset[str]
    expires: float


class Issuer:
    """An authorization server, known by its URL exactly as its tokens have it, trailing slash and all.

    `audience` is what its tokens for this server name in `aud`. Nothing is fetched before the first token comes.
    Raises ValueError for a URL whose answers somebody on the way could change.
    """

    def __init__(
        self,
        url: str,
        audience: str,
        *,
        fetch: Fetch = fetch_document,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_trustworthy(url) or "?" in url:
            raise ValueError(
                "the OAuth issuer must be an https address without user name, query or fragment, "
                "such as https://login.example.com/team; http is for loopback alone"
            )
        self.url = url
        self._audience = audience
        self._keys = KeyRing(lambda: published_keys(url, fetch), clock)

    async def claims(self, token: str) -> Claims:
        """What a token says, once it is known to be good. Raises BadToken, or IssuerUnavailable where nobody can tell.

        What was verified is not remembered: that takes 0.1 ms for RSA and at most 0.6 ms, and a key that the issuer
        has withdrawn then counts for nothing at once.
        """
        kid, algorithm = _header(token)
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise BadToken("the token is signed with a key that its issuer does not publish for it")
        return _claims(self._verified(token, key))

    async def check_ready(self) -> None:
        """See that there are keys to check tokens with. Raises IssuerUnavailable."""
        await self._keys.find(None, ALGORITHMS[0])

    def _verified(self, token: str, key: Key) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key.public,
                algorithms=list(key.algorithms),
                audience=self._audience,
                issuer=self.url,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
        except _FAULTS as exc:
            raise BadToken(_REASONS.get(type(exc), "the token is malformed")) from None


def _header(token: str) -> tuple[str | None, str]:
    """The `kid` and `alg` of a token, which nobody has vouched for yet: they choose among the issuer's keys."""
    if len(token) > _LARGEST_TOKEN:
        raise BadToken("the token is too large")
    try:
        header = jwt.get_unverified_header(token) if _SIGNED.fullmatch(token) else {}
    except _FAULTS:
        header = {}
    if not header:
        raise BadToken("the token is no signed JWT")
    if header.get("alg") not in ALGORITHMS:
        raise BadToken("the token is not signed with an algorithm that is accepted")
    kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    if kind not in _TYPES or "crit" in header:  # no extension is understood, and what is critical has to be
        raise BadToken("the token is of a type that gives no access")
    return header.get("kid"), header["alg"]


def _claims(payload: dict[str, Any]) -> Claims:
    if not all(_is_time(payload[name]) for name in _TIMES if name in payload):
        raise BadToken("the times of the token make no sense")
    if not payload["sub"]:
        raise BadToken("the token names no subject")
    if "cnf" in payload:  # RFC 7800: it is for the holder of a key, and a bearer has shown none
        raise BadToken("the token is bound to a key and only bearer tokens are taken")
    return Claims(payload["iss"], payload["sub"], _scopes(payload), payload["exp"] + LEEWAY)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LATEST


def _scopes(payload: dict[str, Any]) -> frozenset[str]:
    """The scopes granted: `scope` (RFC 9068, 2.2.3), or `scp` as other issuers call it, in one string or a list."""
    granted = payload.get("scope", payload.get("scp"))
    words = granted.split(" ") if isinstance(granted, str) else granted
    if not isinstance(words, list):
        return frozenset()
    return frozenset(word for word in words if word and isinstance(word, str))
