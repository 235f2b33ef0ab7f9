"""Where the service is: a base address to which a key may be sent. It is checked before httpx is imported."""

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    import httpx

BASE_URL = "https://api.wayscloud.services"
"""The platform (API page: Base URL)."""


_HOST = re.compile(r"[A-Za-z0-9._:-]+")


def parse_base_url(base_url: str, *, in_clear: bool = False) -> str:
    """Check a base URL, with or without a path prefix; the result has no trailing slash.

    Raises ValueError where it is no plain https address. `http` is for loopback hosts, or where the caller says
    that nothing leaves the process (`in_clear`): the key would otherwise travel readable.
    """
    try:
        url = urlsplit(base_url.strip())
        host, _ = url.hostname or "", url.port
    except ValueError:  # its message may quote a password
        raise ValueError(f"the base URL is not a URL; expected one such as {BASE_URL}") from None
    if "@" in url.netloc:
        raise ValueError("the base URL must not hold a user name or password; the key has settings of its own")
    if url.query or url.fragment:
        raise ValueError("the base URL must not hold a query or fragment")
    if not _HOST.fullmatch(host) or url.scheme not in ("https", "http"):
        raise ValueError(f"the base URL must be an https address such as {BASE_URL}")
    if url.scheme == "http" and not (in_clear or is_loopback(host)):
        raise ValueError("the base URL must begin with https: over http the key could be read on the way")
    return url.geturl().rstrip("/")


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def proxy_for(url: "httpx.URL") -> str | None:
    """The proxy that the environment names for an address; none for http, where it could read the key."""
    if url.scheme == "http" or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get("https") or proxies.get("all")


def origin(url: "httpx.URL") -> tuple[str, str, int | None]:
    """Scheme, host and port; two addresses that share them are the same party."""
    return (url.scheme, url.host, url.port)
