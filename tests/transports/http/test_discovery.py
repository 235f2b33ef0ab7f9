"""Where an issuer's keys are found, and which of its answers are used."""

import gzip
import json
import socket

import pytest

from contacts_mcp.transports.http.access._signing_keys import IssuerUnavailable, metadata_urls, usable_keys
from contacts_mcp.transports.http.access._tokens import Issuer
from transports.http.issuer import AUDIENCE, P256, RSA, LoopbackIssuer, good, jwk


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
def test_metadata_urls_follow_rfc_8414_and_openid_connect_discovery(url, addresses):
    """RFC 8414 inserts the issuer's path, OpenID Connect appends to it; a trailing slash does not count as a path."""
    assert metadata_urls(url) == addresses


@pytest.mark.parametrize("path", ["", "/", "/team", "/team/"])
@pytest.mark.parametrize("place", [0, 1, -1])
async def test_keys_are_found_at_each_metadata_url(path, place):
    """The issuer keeps its trailing slash, as its tokens do."""
    with LoopbackIssuer(path) as server:
        server.discovery = metadata_urls(server.url)[place].removeprefix(server.origin)

        assert await Issuer(server.url, AUDIENCE).verify(server.token())


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
def test_issuer_url_other_than_https_or_loopback_is_refused(url):
    """Only https, or http on loopback, is accepted; the message repeats nothing of the value."""
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
        ((200, gzip.compress(gzip.compress(b" " * 9_999_999)), {"Content-Encoding": "gzip, gzip"}), "no JSON object"),
        ((302, b"", {"Location": "/elsewhere"}), "302"),
        ((500, b"", {}), "500"),
    ],
)
async def test_metadata_of_another_issuer_or_form_is_not_used(server, issuer, caplog, answer, said):
    """The log says why; redirects are not followed, and oversized answers are not read to their end."""
    server.answers[server.discovery] = answer

    with pytest.raises(IssuerUnavailable):
        await issuer.verify(server.token())

    assert said in caplog.text
    assert "/keys" not in server.requests
    assert "/elsewhere" not in server.requests


@pytest.mark.parametrize(
    "address", ["http://login.example.com/keys", "file:///etc/passwd", "https://user@login.example", "https://[", 5]
)
async def test_keys_are_fetched_only_from_trustworthy_urls(server, issuer, caplog, address):
    """https, or http on loopback."""
    server.answers[server.discovery] = server.metadata(jwks_uri=address)

    with pytest.raises(IssuerUnavailable):
        await issuer.verify(server.token())

    assert "jwks_uri" in caplog.text


async def test_https_issuer_cannot_name_a_loopback_jwks_uri():
    """Otherwise its metadata could direct requests to a local service."""
    asked = []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        return json.dumps({"issuer": "https://login.example", "jwks_uri": "http://127.0.0.1:9/keys"}).encode()

    with LoopbackIssuer() as server, pytest.raises(IssuerUnavailable):
        await Issuer("https://login.example", AUDIENCE, fetch=fetch).verify(server.token())

    assert asked == metadata_urls("https://login.example")


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
async def test_unusable_key_set_counts_as_an_outage(server, issuer, answer):
    """Tokens cannot be checked."""
    server.answers["/keys"] = answer

    with pytest.raises(IssuerUnavailable):
        await issuer.verify(server.token())


def test_unusable_keys_do_not_affect_the_others_of_a_set():
    """A key set may hold unknown types of keys."""
    odd = [{"kty": "AKP"}, {"kty": "EC", "crv": "P-256", "x": 5, "y": "!"}, {**jwk(P256), "x": "AA"}, "x", None]

    assert {key["kid"] for key in usable_keys([*odd, jwk(RSA), {**jwk(RSA), "kid": 5}])} == {"one"}


async def test_loopback_issuer_is_fetched_without_the_environments_proxy(server, issuer, monkeypatch):
    """A proxy could read and change the plain-text answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{unused.getsockname()[1]}")

        assert await issuer.verify(server.token())
