"""An authorization server on loopback, as a resource server sees it: metadata, keys and signed tokens."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from contacts_mcp.transports.http.access._tokens import InvalidToken, Issuer
from support.services import HttpAnswer, serve_in_threads

AUDIENCE = "https://contacts.example.com/mcp"

RSA = rsa.generate_private_key(65537, 2048)
RSA_TOO = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str | None = "one", **members: Any) -> dict[str, Any]:
    """The public half of a key, as a member of a key set."""
    algorithm = {rsa.RSAPrivateKey: "RS256", ed25519.Ed25519PrivateKey: "EdDSA"}
    name = next((name for kind, name in algorithm.items() if isinstance(key, kind)), "ES256")
    public = json.loads(get_default_algorithms()[name].to_jwk(key.public_key()))
    public.pop("key_ops", None)
    return {**public, **({} if kid is None else {"kid": kid}), **members}


def good(content: Any) -> HttpAnswer:
    return 200, json.dumps(content).encode(), {}


class LoopbackIssuer:
    """Publishes `keys` and signs tokens; `requests` lists the requested paths.

    `answers` replaces its responses, by path. It works from any thread or process.
    """

    def __init__(self, path: str = "") -> None:
        self.keys: list[dict[str, Any]] = [jwk(RSA)]
        self.requests: list[str] = []
        self.answers: dict[str, HttpAnswer | Callable[[], HttpAnswer]] = {}
        self._serving = ExitStack()
        self.origin = self._serving.enter_context(serve_in_threads(self._answer))
        self.url = self.origin + path
        self.discovery = f"/.well-known/oauth-authorization-server{path.removesuffix('/')}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._serving.close()

    @property
    def fetches(self) -> int:
        return self.requests.count("/keys")

    def token(self, key: Any = RSA, algorithm: str = "RS256", *, header: dict[str, Any] | None = None, **claims: Any):
        """A token for AUDIENCE that is valid for a minute, without the claims and headers that are None."""
        now = int(time.time())
        payload = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ola",
            "iat": now,
            "exp": now + 60,
            "scope": "contacts:read",
        }
        payload = {name: value for name, value in {**payload, **claims}.items() if value is not None}
        headers = {"kid": "one", **(header or {})}
        return jwt.encode(
            payload, key, algorithm, {name: value for name, value in headers.items() if value is not None}
        )

    def metadata(self, **members: Any) -> HttpAnswer:
        return good({"issuer": self.url, "jwks_uri": f"{self.origin}/keys", **members})

    def _answer(self, request: BaseHTTPRequestHandler, _body: bytes) -> HttpAnswer:
        self.requests.append(request.path)
        if request.path in self.answers:
            answer = self.answers[request.path]
            return answer() if callable(answer) else answer
        if request.path == "/keys":
            return good({"keys": self.keys})
        return self.metadata() if request.path == self.discovery else (404, b"", {})


async def why_not(issuer: Issuer, token: str) -> str:
    with pytest.raises(InvalidToken) as raised:
        await issuer.verify(token)
    return str(raised.value)
