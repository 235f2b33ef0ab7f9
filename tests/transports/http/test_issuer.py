"""Which tokens are good, where their keys come from, and when these are fetched: against an issuer over real HTTP."""

import asyncio
import base64
import hmac
import json
import logging
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from contacts_mcp.transports.http import _jwks
from contacts_mcp.transports.http._discovery import IssuerUnavailable, metadata_addresses
from contacts_mcp.transports.http._issuer import BadToken, Issuer
from contacts_mcp.transports.http._jwks import keys_in
from transports.http.issuer import (
    AUDIENCE,
    ED25519,
    P256,
    P384,
    P521,
    RSA,
    RSA_TOO,
    LoopbackIssuer,
    good,
    jwk,
)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[LoopbackIssuer]:
    with LoopbackIssuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(server: LoopbackIssuer, clock: Clock) -> Issuer:
    return Issuer(server.url, AUDIENCE, clock=clock)


async def why_not(issuer: Issuer, token: str) -> str:
    """The reason for which a token is refused."""
    with pytest.raises(BadToken) as raised:
        await issuer.claims(token)
    return str(raised.value)


def segments(*parts: Any) -> str:
    """A token put together by hand: each part as JSON, or as the bytes it is."""
    encoded = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in encoded)


def payload_of(server: LoopbackIssuer, **claims: Any) -> dict[str, Any]:
    return {"iss": server.url, "aud": AUDIENCE, "sub": "ola", "exp": int(time.time()) + 60, **claims}


class TestGoodTokens:
    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [
            *((RSA, name) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
            *((P256, "ES256"), (P384, "ES384"), (P521, "ES512"), (ED25519, "EdDSA")),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_every_algorithm_works_with_its_kind_of_key(self, server, issuer, key, algorithm):
        """RSA, elliptic curves and Edwards curves, with no `alg` at the key."""
        server.keys = [jwk(key)]

        assert (await issuer.claims(server.token(key, algorithm))).subject == "ola"

    async def test_the_claims_are_what_the_token_says(self, server, issuer):
        """The subject is not in the repr, since it may be an e-mail address."""
        expires = int(time.time()) + 60
        claims = await issuer.claims(server.token(sub="ola@example.com", exp=expires, scope="contacts:read other"))

        assert (claims.issuer, claims.subject, claims.scopes) == (
            server.url,
            "ola@example.com",
            {"contacts:read", "other"},
        )
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
    async def test_scopes_are_read_as_issuers_write_them(self, server, issuer, claims, scopes):
        """`scope` or `scp`, one string or a list; whatever else it is grants nothing."""
        assert (await issuer.claims(server.token(**claims))).scopes == scopes

    @pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
    async def test_access_tokens_of_every_name_are_taken(self, server, issuer, kind):
        """RFC 9068 names the type, with or without its family."""
        assert await issuer.claims(server.token(header={"typ": kind}))

    async def test_one_audience_of_several_is_enough(self, server, issuer):
        """`aud` may be a list."""
        assert await issuer.claims(server.token(aud=["https://other.example.com", AUDIENCE]))

    async def test_clocks_may_differ_by_half_a_minute(self, server, issuer):
        """Expired or issued 20 seconds ago or from now."""
        now = int(time.time())

        assert await issuer.claims(server.token(exp=now - 20))
        assert await issuer.claims(server.token(iat=now + 20, nbf=now + 20))

    async def test_a_token_without_kid_takes_the_only_key_that_fits(self, server, issuer):
        """Of two that fit, nobody could say which is meant."""
        server.keys = [jwk(RSA, None), jwk(P256, "two")]

        assert await issuer.claims(server.token(header={"kid": None}))

        issuer = Issuer(server.url, AUDIENCE)
        server.keys = [jwk(RSA, None), jwk(RSA_TOO, "two")]
        assert "does not publish" in await why_not(issuer, server.token(header={"kid": None}))


class TestBadTokens:
    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"exp": int(time.time()) - 31}, "the token has expired"),
            ({"nbf": int(time.time()) + 3_600}, "the token is not valid yet"),
            ({"iat": int(time.time()) + 3_600}, "the token is not valid yet"),
            ({"aud": "https://other.example.com"}, "the token was issued for another audience"),
            ({"aud": [AUDIENCE + "/"]}, "the token was issued for another audience"),
            ({"iss": "https://evil.example.com"}, "the token comes from another issuer"),
            *(({name: None}, "the token lacks a claim that is required") for name in ("iss", "aud", "sub", "exp")),
            ({"sub": ""}, "the token names no subject"),
            ({"sub": 5}, "the token is malformed"),
            ({"exp": str(int(time.time()) + 86_400)}, "the times of the token make no sense"),
            ({"exp": 10**400}, "the times of the token make no sense"),
            ({"exp": [5]}, "the token is malformed"),
            ({"exp": float("inf")}, "the token is malformed"),
            ({"cnf": {"jkt": "x"}}, "the token is bound to a key and only bearer tokens are taken"),
        ],
    )
    async def test_claims_that_are_off_are_refused(self, server, issuer, claims, reason):
        """Each with a reason of fixed words."""
        assert await why_not(issuer, server.token(**claims)) == reason

    @pytest.mark.parametrize("kind", ["id+jwt", "logout+jwt", "JWE", "dpop+jwt", 5])
    async def test_tokens_of_another_type_give_no_access(self, server, issuer, kind):
        """What was signed for another purpose is no access token."""
        assert "type" in await why_not(issuer, server.token(header={"typ": kind}))

    async def test_extensions_that_are_critical_are_refused(self, server, issuer):
        """None is understood (RFC 7515, 4.1.11)."""
        assert await why_not(issuer, server.token(header={"crit": ["exp"], "exp": 1}))

    @pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
    async def test_a_public_key_is_no_shared_secret(self, server, issuer, algorithm):
        """The attack on libraries that let the token choose: HMAC, keyed with what everybody can read."""
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
    async def test_unsigned_tokens_are_refused(self, server, issuer, algorithm):
        """However `none` is spelt, with an empty signature or another one, and before any key is fetched."""
        unsigned = segments({"alg": algorithm, "kid": "one"}, payload_of(server))

        assert await why_not(issuer, f"{unsigned}.") == "the token is no signed JWT"
        assert "algorithm" in await why_not(issuer, f"{unsigned}.{segments(b'x')}")
        assert server.requests == []

    async def test_a_key_is_used_for_what_it_was_published_for_alone(self, server, issuer):
        """Its `alg` narrows what its type allows; `use`, `key_ops`, a private half and its length count too."""
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
            warnings.simplefilter("ignore")  # PyJWT's, about signing with so short a key
            assert "does not publish" in await why_not(issuer, server.token(short, header={"kid": "short"}))
        assert await issuer.claims(server.token(algorithm="PS256", header={"kid": "narrow"}))

    @pytest.mark.parametrize(("key", "algorithm"), [(RSA_TOO, "RS256"), (P256, "ES256"), (ED25519, "EdDSA")])
    async def test_a_signature_of_another_key_is_refused(self, server, issuer, key, algorithm):
        """Also where that key is of another type."""
        reason = await why_not(issuer, server.token(key, algorithm))

        assert reason == "the signature of the token is wrong" if key is RSA_TOO else "does not publish" in reason

    async def test_keys_inside_the_token_count_for_nothing(self, server, issuer):
        """A token cannot vouch for itself, nor name an address to fetch from."""
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
    async def test_rubbish_is_no_token(self, server, issuer, token):
        """And nothing is fetched on its account."""
        assert await why_not(issuer, token) == "the token is no signed JWT"
        assert server.requests == []

    async def test_a_huge_token_is_not_even_read(self, server, issuer):
        """16 KiB is more than any issuer's token has."""
        assert await why_not(issuer, server.token(padding="x" * 20_000)) == "the token is too large"
        assert server.requests == []

    async def test_a_signed_payload_that_is_no_object_is_refused(self, server, issuer):
        """Signed rubbish stays rubbish."""
        token = jwt.PyJWS().encode(b"[1]", RSA, "RS256", {"kid": "one"})

        assert await why_not(issuer, token) == "the token is malformed"


class TestDiscovery:
    @pytest.mark.parametrize(
        ("url", "addresses"),
        [
            (
                "https://login.example",
                [
                    "https://login.example/.well-known/oauth-authorization-server",
                    "https://login.example/.well-known/openid-configuration",
                ],
            ),
            (
                "https://login.example/a/b/",
                [
                    "https://login.example/.well-known/oauth-authorization-server/a/b",
                    "https://login.example/.well-known/openid-configuration/a/b",
                    "https://login.example/a/b/.well-known/openid-configuration",
                ],
            ),
        ],
    )
    def test_metadata_is_looked_for_where_the_standards_have_it(self, url, addresses):
        """RFC 8414 inserts the issuer's path, OpenID Connect appends to it; a trailing slash is no path."""
        assert metadata_addresses(url) == addresses

    @pytest.mark.parametrize("path", ["", "/", "/team", "/team/"])
    @pytest.mark.parametrize("place", [0, 1, -1])
    async def test_keys_are_found_by_each_way_of_discovery(self, path, place):
        """The issuer keeps its trailing slash, as its tokens do."""
        with LoopbackIssuer(path) as server:
            server.discovery = metadata_addresses(server.url)[place].removeprefix(server.origin)

            assert await Issuer(server.url, AUDIENCE).claims(server.token())

    @pytest.mark.parametrize(
        "url",
        [
            "http://login.example.com",
            "ftp://login.example.com",
            "login.example.com",
            "",
            "https://",
            "https://user:secret@login.example.com",
            "https://login.example.com?tenant=1",
            "https://login.example.com#x",
            "https://login.example.com/\n",
            "https://login.example.com/\u202e",
            'https://login.example.com/"',
            "https://login.example.com:port",
            "https://[",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
        ],
    )
    def test_an_issuer_whose_answers_could_be_changed_is_no_issuer(self, url):
        """https alone, or http on loopback; the message repeats nothing of the value."""
        with pytest.raises(ValueError, match="the OAuth issuer must be an https address") as raised:
            Issuer(url, AUDIENCE)
        assert "secret" not in str(raised.value)

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (good({"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}), "evil.example"),
            (good({"jwks_uri": "https://evil.example/keys"}), '"None"'),
            (good(["x"]), "no JSON object"),
            ((200, b"<html>", {}), "no JSON object"),
            ((200, b"[" * 200_000, {}), "no JSON object"),
            ((200, b" " * 300_000, {}), "256 KiB"),
            ((302, b"", {"Location": "/elsewhere"}), "302"),
            ((500, b"", {}), "500"),
        ],
    )
    async def test_metadata_that_is_not_the_issuers_own_is_not_used(self, server, issuer, caplog, answer, said):
        """The operator reads why; redirects are not followed, and endless answers not read to their end."""
        server.answers[server.discovery] = answer

        with pytest.raises(IssuerUnavailable):
            await issuer.claims(server.token())

        assert said in caplog.text
        assert "/keys" not in server.requests
        assert "/elsewhere" not in server.requests

    @pytest.mark.parametrize(
        "address", ["http://login.example.com/keys", "file:///etc/passwd", "https://user@login.example", "https://[", 5]
    )
    async def test_keys_are_fetched_from_trustworthy_addresses_alone(self, server, issuer, caplog, address):
        """https, or http on loopback."""
        server.answers[server.discovery] = server.metadata(jwks_uri=address)

        with pytest.raises(IssuerUnavailable):
            await issuer.claims(server.token())

        assert "jwks_uri" in caplog.text

    async def test_an_issuer_with_https_cannot_send_us_to_this_machine(self):
        """Its metadata would choose a service on loopback that nobody meant to offer."""
        asked = []

        async def fetch(url: str) -> bytes:
            asked.append(url)
            return json.dumps({"issuer": "https://login.example", "jwks_uri": "http://127.0.0.1:9/keys"}).encode()

        with LoopbackIssuer() as server, pytest.raises(IssuerUnavailable):
            await Issuer("https://login.example", AUDIENCE, fetch=fetch).claims(server.token())

        assert asked == metadata_addresses("https://login.example")

    @pytest.mark.parametrize(
        "answer",
        [
            good({"keys": []}),
            good({"keys": [5, {}, {"kty": "RSA", "n": "!", "e": 5}, {"kty": ["RSA"]}]}),
            good({"keys": "x"}),
            good([]),
            (200, b" " * 300_000, {}),
            (302, b"", {"Location": "/elsewhere"}),
            (503, b"", {}),
        ],
    )
    async def test_a_key_set_without_use_is_an_outage(self, server, issuer, answer):
        """Nobody can say whether a token is good."""
        server.answers["/keys"] = answer

        with pytest.raises(IssuerUnavailable):
            await issuer.claims(server.token())

    def test_one_odd_key_does_not_spoil_the_others(self):
        """A key set may hold kinds that are not known yet."""
        odd = [{"kty": "AKP"}, {"kty": "EC", "crv": "P-256", "x": 5, "y": "!"}, {**jwk(P256), "x": "AA"}, "x", None]

        assert [key.kid for key in keys_in([*odd, jwk(RSA), {**jwk(RSA), "kid": 5}])] == ["one"]

    async def test_a_proxy_has_no_business_on_this_machine(self, server, issuer, monkeypatch):
        """It would read, and could change, what loopback answers in clear."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{unused.getsockname()[1]}")

            assert await issuer.claims(server.token())


class TestFetching:
    async def test_nothing_is_fetched_before_the_first_token(self, server, issuer):
        """A server starts without its issuer."""
        assert server.requests == []

        await issuer.claims(server.token())
        await issuer.claims(server.token())

        assert server.requests == [server.discovery, "/keys"]

    async def test_concurrent_first_use_fetches_once(self, server, issuer):
        """Fifty callers share one answer."""
        await asyncio.gather(*(issuer.claims(server.token(sub=str(number))) for number in range(50)))

        assert server.fetches == 1

    async def test_a_new_key_is_found_and_an_old_one_forgotten(self, server, issuer, clock):
        """Rotation: the first token of the new key brings it in, and what was signed with the old one is refused."""
        old = server.token()
        await issuer.claims(old)
        server.keys = [jwk(RSA_TOO, "two")]
        clock.now += 31

        assert await issuer.claims(server.token(RSA_TOO, header={"kid": "two"}))
        assert "does not publish" in await why_not(issuer, old)
        assert server.fetches == 2

    async def test_tokens_with_unknown_keys_cannot_make_us_hammer_the_issuer(self, server, issuer, clock):
        """A flood of them causes one fetch in half a minute."""
        await issuer.claims(server.token())
        clock.now += 31
        strangers = [server.token(RSA_TOO, header={"kid": f"stranger {number}"}) for number in range(100)]

        await asyncio.gather(*(why_not(issuer, token) for token in strangers))
        clock.now += 29
        await asyncio.gather(*(why_not(issuer, token) for token in strangers))
        assert server.fetches == 2

        clock.now += 2
        await asyncio.gather(*(why_not(issuer, token) for token in strangers))
        assert server.fetches == 3

    async def test_keys_are_fetched_again_after_an_hour(self, server, issuer, clock):
        """A withdrawn key lives that long at most."""
        await issuer.claims(server.token())
        server.keys = [jwk(RSA_TOO)]
        clock.now += 3_599
        assert await issuer.claims(server.token())

        clock.now += 2
        assert await why_not(issuer, server.token()) == "the signature of the token is wrong"
        assert server.fetches == 2

    async def test_keys_stay_in_use_for_a_day_of_outage(self, server, issuer, clock, caplog):
        """Known keys serve on, whatever names an unknown one cannot be judged, and one attempt is made in a while."""
        await issuer.claims(server.token())
        server.answers["/keys"] = (503, b"", {})
        clock.now += 3_601

        for _ in range(3):
            assert await issuer.claims(server.token())
            with pytest.raises(IssuerUnavailable):
                await issuer.claims(server.token(RSA_TOO, header={"kid": "two"}))
        assert server.fetches == 2
        assert "stay in use" in caplog.text

        clock.now += 82_000
        assert await issuer.claims(server.token())
        clock.now += 1_000
        with pytest.raises(IssuerUnavailable):
            await issuer.claims(server.token())

        del server.answers["/keys"]
        clock.now += 6
        assert await issuer.claims(server.token())

    async def test_an_issuer_that_is_down_is_asked_again_soon_but_not_at_once(self, clock, caplog):
        """While there are no keys, one attempt is made in five seconds."""
        with LoopbackIssuer() as server:
            issuer = Issuer(server.url, AUDIENCE, clock=clock)
            token = server.token()
            server.answers[server.discovery] = (503, b"", {})
            for _ in range(5):
                with pytest.raises(IssuerUnavailable):
                    await issuer.claims(token)
            assert server.requests.count(server.discovery) == 1

            del server.answers[server.discovery]
            clock.now += 6
            assert await issuer.claims(token)
        clock.now += 100_000
        with pytest.raises(IssuerUnavailable):
            await issuer.claims(token)
        assert "ConnectError" in caplog.text
        assert {record.levelno for record in caplog.records if record.name == _jwks.__name__} == {logging.WARNING}

    async def test_an_issuer_that_does_not_answer_is_waited_for_within_bounds(self, server, issuer, monkeypatch):
        """Five seconds, here a fifth of one."""
        monkeypatch.setattr(_jwks, "PATIENCE", 0.2)
        answered = threading.Event()
        server.answers["/keys"] = lambda: (answered.wait(10) and (200, b"{}", {})) or (500, b"", {})
        began = time.monotonic()
        try:
            with pytest.raises(IssuerUnavailable):
                await issuer.claims(server.token())
        finally:
            answered.set()
        assert time.monotonic() - began < 3

    async def test_known_keys_serve_while_others_are_fetched(self, server, issuer, clock):
        """Those who can be judged do not wait for the issuer."""
        await issuer.claims(server.token())
        clock.now += 3_601
        asked, answer = threading.Event(), threading.Event()

        def late() -> tuple[int, bytes, dict[str, str]]:
            asked.set()
            answer.wait(10)
            return good({"keys": [jwk(RSA), jwk(RSA_TOO, "two")]})

        server.answers["/keys"] = late
        newcomer = asyncio.create_task(issuer.claims(server.token(RSA_TOO, header={"kid": "two"})))
        try:
            assert await asyncio.to_thread(asked.wait, 10)
            with anyio.fail_after(3):
                assert await issuer.claims(server.token())
            assert not newcomer.done()
        finally:
            answer.set()
        assert (await newcomer).subject == "ola"

    async def test_whoever_asks_first_may_leave(self, server, issuer):
        """Their fetch is finished for those who wait, instead of being begun again."""
        asked, answer = threading.Event(), threading.Event()

        def late() -> tuple[int, bytes, dict[str, str]]:
            asked.set()
            answer.wait(10)
            return good({"keys": server.keys})

        server.answers["/keys"] = late
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(issuer.claims, server.token())
            assert await asyncio.to_thread(asked.wait, 10)
            second = asyncio.create_task(issuer.claims(server.token()))
            leaving.cancel_scope.cancel()
            answer.set()

        assert (await second).subject == "ola"
        assert server.fetches == 1
