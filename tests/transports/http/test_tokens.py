"""Which tokens are valid."""

import base64
import hmac
import json
import time
import warnings
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from contacts_mcp.transports.http.access._tokens import Issuer
from transports.http.issuer import AUDIENCE, ED25519, P256, P384, P521, RSA, RSA_TOO, LoopbackIssuer, jwk, why_not


def segments(*parts: Any) -> str:
    """A token from its parts; each is encoded as JSON unless it is bytes."""
    encoded = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in encoded)


def payload_of(server: LoopbackIssuer, **claims: Any) -> dict[str, Any]:
    return {"iss": server.url, "aud": AUDIENCE, "sub": "ola", "exp": int(time.time()) + 60, **claims}


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        *((RSA, name) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        *((P256, "ES256"), (P384, "ES384"), (P521, "ES512"), (ED25519, "EdDSA")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_algorithm_works_with_its_type_of_key(server, issuer, key, algorithm):
    """RSA, elliptic curves and Edwards curves, for a key without `alg`."""
    server.keys = [jwk(key)]

    assert (await issuer.verify(server.token(key, algorithm))).subject == "ola"


async def test_claims_are_read_from_the_token(server, issuer):
    """The subject is not in the repr, because it may be an e-mail address."""
    expires = int(time.time()) + 60
    claims = await issuer.verify(server.token(sub="ola@example.com", exp=expires, scope="contacts:read other"))

    assert (claims.issuer, claims.subject, claims.scopes) == (server.url, "ola@example.com", {"contacts:read", "other"})
    assert claims.expires == expires + 30
    assert "ola" not in repr(claims)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": " a  b "}, {"a", "b"}),
        ({"scope": None, "scp": "a b"}, {"a", "b"}),
        ({"scope": None, "scp": ["a", "b", 5]}, {"a", "b"}),
        ({"scope": ["a", "b"]}, {"a", "b"}),
        ({"scope": None, "scp": {"a": True}}, set()),
        ({"scope": 5}, set()),
        ({"scope": None}, set()),
    ],
)
async def test_scopes_are_read_from_scope_or_scp(server, issuer, claims, scopes):
    """Each may be one string or a list; any other form grants nothing."""
    assert (await issuer.verify(server.token(**claims))).scopes == scopes


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
async def test_every_access_token_type_is_accepted(server, issuer, kind):
    """RFC 9068 names the type, with or without `application/`."""
    assert await issuer.verify(server.token(header={"typ": kind}))


async def test_one_matching_audience_of_several_is_enough(server, issuer):
    """`aud` may be a list."""
    assert await issuer.verify(server.token(aud=["https://other.example.com", AUDIENCE]))


async def test_clocks_may_differ_by_half_a_minute(server, issuer):
    """A token that expired 20 seconds ago, or is issued 20 seconds from now, is accepted."""
    now = int(time.time())

    assert await issuer.verify(server.token(exp=now - 20))
    assert await issuer.verify(server.token(iat=now + 20, nbf=now + 20))


async def test_token_without_kid_uses_the_only_key_that_fits(server, issuer):
    """If two keys fit, it is unclear which is meant."""
    server.keys = [jwk(RSA, None), jwk(P256, "two")]

    assert await issuer.verify(server.token(header={"kid": None}))

    issuer = Issuer(server.url, AUDIENCE)
    server.keys = [jwk(RSA, None), jwk(RSA_TOO, "two")]
    assert "does not publish" in await why_not(issuer, server.token(header={"kid": None}))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": int(time.time()) - 31}, "the token has expired"),
        ({"nbf": int(time.time()) + 3_600}, "the token is not valid yet"),
        ({"iat": int(time.time()) + 3_600}, "the token is not valid yet"),
        ({"aud": "https://other.example.com"}, "the token was issued for another audience"),
        ({"aud": [AUDIENCE + "/"]}, "the token was issued for another audience"),
        ({"iss": "https://evil.example.com"}, "the token comes from another issuer"),
        *(({name: None}, "the token lacks a required claim") for name in ("iss", "aud", "sub", "exp")),
        ({"sub": ""}, "the token has an empty subject"),
        ({"sub": 5}, "the token is malformed"),
        ({"exp": str(int(time.time()) + 86_400)}, "the token has an invalid time claim"),
        ({"exp": 10**400}, "the token has an invalid time claim"),
        ({"exp": [5]}, "the token is malformed"),
        ({"exp": float("inf")}, "the token is malformed"),
        ({"cnf": {"jkt": "x"}}, "the token is bound to a key, and only bearer tokens are accepted"),
    ],
)
async def test_token_with_wrong_claims_is_refused(server, issuer, claims, reason):
    """Each reason is a fixed text."""
    assert await why_not(issuer, server.token(**claims)) == reason


@pytest.mark.parametrize("kind", ["id+jwt", "logout+jwt", "JWE", "dpop+jwt", 5])
async def test_token_of_another_type_is_refused(server, issuer, kind):
    """A token that was signed for another purpose is not an access token."""
    assert "type" in await why_not(issuer, server.token(header={"typ": kind}))


async def test_token_with_critical_extensions_is_refused(server, issuer):
    """No extension is understood (RFC 7515, 4.1.11)."""
    assert await why_not(issuer, server.token(header={"crit": ["exp"], "exp": 1}))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_token_signed_by_hmac_with_the_public_key_is_refused(server, issuer, algorithm):
    """The attack on libraries that let the token choose the algorithm: HMAC with the public key as its secret."""
    public = RSA.public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(server.keys[0]).encode(),
    ):
        signed = segments({"alg": algorithm, "kid": "one"}, payload_of(server))
        mac = hmac.digest(secret, signed.encode(), "sha" + algorithm[2:])

        assert "algorithm" in await why_not(issuer, f"{signed}.{segments(mac)}")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, ["RS256"], {"RS256": 1}])
async def test_unsigned_token_is_refused(server, issuer, algorithm):
    """In every spelling of `none`, with an empty signature or another one, and before a key is fetched."""
    unsigned = segments({"alg": algorithm, "kid": "one"}, payload_of(server))

    assert await why_not(issuer, f"{unsigned}.") == "the token is not a signed JWT"
    assert "algorithm" in await why_not(issuer, f"{unsigned}.{segments(b'x')}")
    assert server.requests == []


async def test_key_is_used_only_for_what_it_was_published_for(server, issuer):
    """Its `alg` narrows what its type allows; `use`, `key_ops`, a private half and its length matter, too."""
    short = rsa.generate_private_key(65537, 1024)
    odd = ec.generate_private_key(ec.SECP256K1())
    private = {**json.loads(RSAAlgorithm.to_jwk(RSA)), "key_ops": ["sign", "verify"]}
    server.keys = [
        jwk(P256, "good"),
        jwk(RSA, "narrow", alg="PS256"),
        jwk(RSA, "symmetric", alg="HS256"),
        jwk(RSA, "encrypts", use="enc"),
        jwk(RSA, "wraps", key_ops=["wrapKey"]),
        {**private, "kid": "private"},
        jwk(short, "short"),
        jwk(odd, "odd"),
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
    ]
    for kid in ("good", "narrow", "symmetric", "encrypts", "wraps", "private", "odd", "secret"):
        assert "does not publish" in await why_not(issuer, server.token(header={"kid": kid})), kid
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyJWT warns of signing with a short key
        assert "does not publish" in await why_not(issuer, server.token(short, header={"kid": "short"}))
    assert await issuer.verify(server.token(algorithm="PS256", header={"kid": "narrow"}))


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_TOO, "RS256"), (P256, "ES256"), (ED25519, "EdDSA")])
async def test_signature_of_another_key_is_refused(server, issuer, key, algorithm):
    """Also if that key is of another type."""
    reason = await why_not(issuer, server.token(key, algorithm))

    assert reason == "the signature of the token is wrong" if key is RSA_TOO else "does not publish" in reason


async def test_keys_inside_the_token_are_ignored(server, issuer):
    """A token cannot bring its own key, nor a URL to fetch one from."""
    header = {"jwk": jwk(RSA_TOO), "jku": f"{server.origin}/mine", "x5u": f"{server.origin}/mine"}

    assert "signature" in await why_not(issuer, server.token(RSA_TOO, header=header))
    assert "/mine" not in server.requests


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "..",
        "é.é.é",
        segments([], {}, b"x"),
        segments(b"\xff", {}, b"x"),
        segments(b"[" * 9_000, {}, b"x"),
        segments({"alg": "RS256", "kid": 5}, {}, b"x"),
        segments({"alg": "RS256"}, {}, b"x") + "=",
        segments({"alg": "RS256"}, {}, b"x") + "\n",
    ],
)
async def test_malformed_token_is_refused_without_a_fetch(server, issuer, token):
    """It causes no fetch."""
    assert await why_not(issuer, token) == "the token is not a signed JWT"
    assert server.requests == []


async def test_oversized_token_is_refused_unread(server, issuer):
    """No issuer's token has more than 16 KiB."""
    assert await why_not(issuer, server.token(padding="x" * 20_000)) == "the token is too large"
    assert server.requests == []


async def test_signed_payload_that_is_not_an_object_is_refused(server, issuer):
    """A signature does not make a token valid."""
    token = jwt.PyJWS().encode(b"[1]", RSA, "RS256", {"kid": "one"})

    assert await why_not(issuer, token) == "the token is malformed"
