"""Checks the signed access tokens of one authorization server."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt

from contacts_mcp.transports.http.access._signing_keys import (
    ALGORITHMS,
    Fetch,
    SigningKeys,
    fetch_document,
    is_trustworthy,
)

LEEWAY_SECONDS = 30
"""How much the clocks of server and issuer may differ."""
_MAX_TOKEN_BYTES = 16 * 1024
_MAX_TIME = 253_402_300_799  # the end of the year 9999
_SIGNED_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)  # RFC 7515, 7.1; neither encrypted nor unsigned
_TOKEN_TYPES = ("jwt", "at+jwt")
_REQUIRED_CLAIMS = ["iss", "aud", "sub", "exp"]
_TIME_CLAIMS = ("exp", "nbf", "iat")

# PyJWT checks the signature first, so only the holder of a genuine token learns the other reasons.
_REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token was issued for another audience",
    jwt.InvalidIssuerError: "the token comes from another issuer",
    jwt.MissingRequiredClaimError: "the token lacks a required claim",
    jwt.InvalidSignatureError: "the signature of the token is wrong",
}
_DECODING_ERRORS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class InvalidToken(Exception):
    """A token that is not accepted. The message is a fixed text and contains no part of the token."""


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a valid token says. The subject may be an e-mail address; `expires` is seconds since 1970, with leeway."""

    issuer: str
    subject: str = field(repr=False)
    scopes: frozenset[str]
    expires: float


class Issuer:
    """An authorization server. `url` is exactly the `iss` of its tokens, including a trailing slash.

    `audience` is what its tokens for this server name in `aud`. Nothing is fetched before the first token.
    Raises ValueError if `url` is not an https URL (http on loopback), because plain http can be tampered with.
    """

    def __init__(
        self, url: str, audience: str, *, fetch: Fetch = fetch_document, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not is_trustworthy(url) or "?" in url:
            raise ValueError(
                "the OAuth issuer must be an https address without user name, query or fragment, "
                "such as https://login.example.com/team; http is only for loopback"
            )
        self.url = url
        self._audience = audience
        self._keys = SigningKeys(url, fetch, clock)

    async def verify(self, token: str) -> TokenClaims:
        """Return the claims of a valid token. Raises InvalidToken, or IssuerUnavailable if the token cannot be checked.

        The result is not cached: verifying takes 0.1 ms for RSA and at most 0.6 ms, and a key that the issuer has
        withdrawn then stops working at once.
        """
        return _claims(await self.decode(token, self._audience))

    async def decode(self, token: str, audience: str) -> dict[str, Any]:
        """Return the payload of a valid token that was issued for an audience. Raises as `verify`."""
        kid, algorithm = _parse_header(token)
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise InvalidToken("the token is signed with a key that its issuer does not publish for its algorithm")
        payload = self._check_signature(token, key, audience)
        if not all(_is_time(payload[name]) for name in _TIME_CLAIMS if name in payload):
            raise InvalidToken("the token has an invalid time claim")
        if not payload["sub"]:
            raise InvalidToken("the token has an empty subject")
        return payload

    async def check_ready(self) -> None:
        """Raise IssuerUnavailable if there are no keys to check tokens with."""
        await self._keys.find(None, ALGORITHMS[0])

    def reload(self) -> None:
        """Fetch the keys again at the next token; those fetched before stay in use if that fails."""
        self._keys.expire()

    def _check_signature(self, token: str, key: jwt.PyJWK, audience: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=self.url,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED_CLAIMS},
            )
        except _DECODING_ERRORS as exc:
            raise InvalidToken(_REASONS.get(type(exc), "the token is malformed")) from None


def _parse_header(token: str) -> tuple[str | None, str]:
    """Return the `kid` and `alg` of a token, not verified yet: they only choose among the issuer's keys."""
    if len(token) > _MAX_TOKEN_BYTES:
        raise InvalidToken("the token is too large")
    try:
        header = jwt.get_unverified_header(token) if _SIGNED_TOKEN.fullmatch(token) else {}
    except _DECODING_ERRORS:
        header = {}
    if not header:
        raise InvalidToken("the token is not a signed JWT")
    if header.get("alg") not in ALGORITHMS:
        raise InvalidToken("the token is not signed with an accepted algorithm")
    kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    if kind not in _TOKEN_TYPES or "crit" in header:  # RFC 7515: refuse unknown critical extensions
        raise InvalidToken("the token is not of a supported type")
    return header.get("kid"), header["alg"]


def _claims(payload: dict[str, Any]) -> TokenClaims:
    if "cnf" in payload:  # RFC 7800: only for the holder of a key, and a bearer token proves no possession
        raise InvalidToken("the token is bound to a key, and only bearer tokens are accepted")
    scopes = parse_scopes(payload.get("scope", payload.get("scp")))
    return TokenClaims(payload["iss"], payload["sub"], scopes, payload["exp"] + LEEWAY_SECONDS)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_TIME


def parse_scopes(granted: object) -> frozenset[str]:
    """Return the scopes of `scope` (RFC 9068, 2.2.3), or of `scp` of other issuers: one string or a list."""
    words = granted.split(" ") if isinstance(granted, str) else granted
    if not isinstance(words, list):
        return frozenset()
    return frozenset(word for word in words if word and isinstance(word, str))
