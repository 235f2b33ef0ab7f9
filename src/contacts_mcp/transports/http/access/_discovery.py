"""Finding an authorization server's keys: its metadata, and the JSON Web Key set that the metadata names."""

import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from contacts_mcp.client import is_loopback
from contacts_mcp.text import quote

if TYPE_CHECKING:
    import httpx

LARGEST_DOCUMENT = 256 * 1024
"""Bytes of an answer; metadata and keys together have some 10,000."""
PATIENCE = 5.0
"""Seconds for metadata and keys together."""

_URL = re.compile(r"[A-Za-z0-9:/?@!$&'()*+,;=._~%\[\]-]+")  # RFC 3986, without the fragment's sign
_SHOWN = 200

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets the body of an address. Raises IssuerUnavailable, or UselessAnswer where another address may have more."""


class IssuerUnavailable(Exception):
    """The authorization server's keys cannot be had now, so that nobody can say whether a token is good."""


class UselessAnswer(IssuerUnavailable):
    """The authorization server did answer, but not with the document that was asked for."""


def is_trustworthy(url: str) -> bool:
    """Whether nobody on the way can change what an address answers: https, or http within this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not _URL.fullmatch(url) or "@" in parts.netloc or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def _is_https(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def metadata_addresses(issuer: str) -> list[str]:
    """Where the metadata of an issuer may be, likeliest first: RFC 8414 (3.1 and 5), OpenID Connect Discovery (4)."""
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/")
    addresses = (
        f"{root}/.well-known/oauth-authorization-server{path}",
        f"{root}/.well-known/openid-configuration{path}",
        f"{root}{path}/.well-known/openid-configuration",
    )
    return list(dict.fromkeys(addresses))


async def published_keys(issuer: str, fetch: Fetch) -> list[Any]:
    """The members of the issuer's JSON Web Key set, as they are. Raises IssuerUnavailable."""
    address = await _address_of_keys(issuer, fetch)
    keys = (await _json_object(address, fetch)).get("keys")
    if not isinstance(keys, list):
        raise UselessAnswer(f"{address} holds no key set")
    return keys


async def _address_of_keys(issuer: str, fetch: Fetch) -> str:
    faults = []
    for address in metadata_addresses(issuer):
        try:
            return _jwks_uri(await _json_object(address, fetch), address, issuer)
        except UselessAnswer as exc:
            faults.append(str(exc))
    raise UselessAnswer("; ".join(faults))


def _jwks_uri(metadata: dict[str, Any], found_at: str, issuer: str) -> str:
    """The address of the keys, out of metadata that is the issuer's own (RFC 8414, 3.3)."""
    named, address = metadata.get("issuer"), metadata.get("jwks_uri")
    if named != issuer:
        raise UselessAnswer(
            f"{found_at} is of the issuer {quote(str(named), _SHOWN)}, and not of {quote(issuer, _SHOWN)}"
        )
    if not isinstance(address, str):
        raise UselessAnswer(f"{found_at} names no jwks_uri")
    if not is_trustworthy(address) or (_is_https(issuer) and not _is_https(address)):
        raise UselessAnswer(f"{found_at} names a jwks_uri that is no https address")
    return address


async def _json_object(address: str, fetch: Fetch) -> dict[str, Any]:
    try:
        document = json.loads(await fetch(address))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UselessAnswer(f"{address} holds no JSON object")
    return document


async def fetch_document(url: str) -> bytes:
    """GET an address. Redirects are not followed: they could lead anywhere."""
    import httpx

    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}  # what is compressed hides its size
    try:
        async with (
            # The environment may name a proxy, which has no business with what stays on this machine.
            httpx.AsyncClient(headers=headers, timeout=PATIENCE, trust_env=_is_https(url)) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != HTTPStatus.OK:
                raise UselessAnswer(f"{url} answered {response.status_code}")
            return await _read(response)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
        raise IssuerUnavailable(f"no answer from {url} ({type(exc).__name__})") from exc


async def _read(response: "httpx.Response") -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST_DOCUMENT:
            raise UselessAnswer(f"{response.url} answered with more than {LARGEST_DOCUMENT // 1024} KiB")
    return bytes(body)
