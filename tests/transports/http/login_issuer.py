"""An authorization server on loopback at which people log in: the authorization code flow, with PKCE demanded."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from support.services import HttpAnswer
from transports.http.issuer import RSA, LoopbackIssuer, good

CLIENT_ID, CLIENT_SECRET = "approvals", "page-secret-Xq7"
EMAIL = "ola@example.com"
Form = dict[str, str]


class LoginIssuer(LoopbackIssuer):
    """Logs in every browser as `person`, whose tokens have those scopes of `allowed` that were requested."""

    def __init__(self, secret: str | None = CLIENT_SECRET) -> None:
        super().__init__()
        self.secret = secret
        self.person = EMAIL
        self.allowed = {"openid", "contacts:read"}
        self.redirect_uri = ""
        """The only registered one; every address if empty."""
        self.auth_methods = ["client_secret_basic"]
        self.denial: Form = {}
        """What the browser brings back instead of a code."""
        self.id_claims: dict[str, Any] = {}
        self.id_key: Any = RSA
        self.answer: dict[str, Any] = {}
        """Members of the token endpoint's answer that replace the right ones; None leaves them out."""
        self.asked: list[Form] = []
        """What browsers asked for."""
        self.redeemed: list[Form] = []
        """What came to the token endpoint."""
        self._codes: dict[str, Form] = {}

    def metadata(self, **members: Any) -> HttpAnswer:
        endpoints = {f"{name}_endpoint": f"{self.origin}/{path}" for name, path in _PATHS.items()}
        return super().metadata(**endpoints, token_endpoint_auth_methods_supported=self.auth_methods, **members)

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> HttpAnswer:
        path = urlsplit(request.path)
        if path.path in self.answers:
            return super()._answer(request, body)
        if path.path == "/authorize":
            return self._authorize(dict(parse_qsl(path.query)))
        if path.path == "/token":
            return self._give_tokens(request.headers, {name: each[0] for name, each in parse_qs(body.decode()).items()})
        return super()._answer(request, body)

    def _authorize(self, asked: Form) -> HttpAnswer:
        self.asked.append(asked)
        is_valid = (
            asked["response_type"] == "code"
            and asked["client_id"] == CLIENT_ID
            and "openid" in asked["scope"].split()
            and asked["code_challenge_method"] == "S256"
            and len(asked["code_challenge"]) == 43
            and self.redirect_uri in ("", asked["redirect_uri"])
        )
        if not is_valid:
            return 400, b"this client is not registered so", {}
        code = secrets.token_urlsafe()
        self._codes[code] = {**asked, "person": self.person}
        given = {**(self.denial or {"code": code}), "state": asked["state"], "iss": self.url}
        return 302, b"", {"Location": f"{asked['redirect_uri']}?{urlencode(given)}"}

    def _give_tokens(self, headers: Any, sent: Form) -> HttpAnswer:
        self.redeemed.append(sent)
        if not self._is_client(headers.get("Authorization", ""), sent):
            return 401, json.dumps({"error": "invalid_client", "error_description": EMAIL}).encode(), {}
        asked = self._codes.pop(sent["code"], None)
        if asked is None or sent["grant_type"] != "authorization_code" or not _fits(sent, asked):
            return 400, json.dumps({"error": "invalid_grant", "error_description": EMAIL}).encode(), {}
        granted = " ".join(scope for scope in asked["scope"].split() if scope in self.allowed)
        mine = {"aud": CLIENT_ID, "sub": asked["person"], "nonce": asked["nonce"], "scope": None, "email": EMAIL}
        answer = {
            "access_token": self.token(sub=asked["person"], scope=granted),
            "id_token": self.token(self.id_key, **{**mine, **self.id_claims}),
            "token_type": "Bearer",
            "expires_in": 60,
            "scope": granted,
            **self.answer,
        }
        return good({name: value for name, value in answer.items() if value is not None})

    def _is_client(self, authorization: str, sent: Form) -> bool:
        kind, _, pair = authorization.partition(" ")
        if self.secret is None:
            return not kind and sent.get("client_id") == CLIENT_ID and "client_secret" not in sent
        if self.auth_methods == ["client_secret_post"]:
            return (sent.get("client_id"), sent.get("client_secret"), kind) == (CLIENT_ID, self.secret, "")
        given = unquote(base64.b64decode(pair).decode()) if kind == "Basic" else ""
        return given == f"{CLIENT_ID}:{self.secret}"


_PATHS = {"authorization": "authorize", "token": "token"}


def _fits(sent: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Whether a code is redeemed by the client that asked for it (RFC 7636, 4.6)."""
    digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return challenge == asked["code_challenge"] and sent["redirect_uri"] == asked["redirect_uri"]
