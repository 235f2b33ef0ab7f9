"""Whose request it is, for limits: the address of the connection, or the one that a trusted proxy reports."""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

AddressOf = Callable[[HTTPConnection], str]
"""Returns the client's address, in which an IPv6 address stands for its network of 64 bits; empty if it is unknown."""

_Address = IPv4Address | IPv6Address
_SUBNET_BITS = 64


def client_address(proxies: Iterable[str] = ()) -> AddressOf:
    """Return a function that finds the client's address behind these proxies, which are addresses or networks.

    Each trusted proxy appends to `X-Forwarded-For` whom it was connected to, so the last address there that is no
    trusted proxy is the client's; what stands before it, the client may have written. Raises ValueError if an entry is
    neither an address nor a network.
    """
    trusted = [ip_network(each) for each in proxies]

    def find(connection: HTTPConnection) -> str:
        found = _parse(connection.client.host) if connection.client else None
        hops = ",".join(connection.headers.getlist("x-forwarded-for")).split(",") if trusted else []
        # A connection by a Unix socket has no address, and only a proxy makes one.
        while hops and (found is None or _is_in(found, trusted)):
            hop = _parse(hops.pop())
            if hop is None:
                break
            found = hop
        return _limited_part(found)

    return find


def _is_in(address: _Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> _Address | None:
    """Return an address; some proxies write it with a port. None if it is not one."""
    text = text.strip()
    for candidate in (text, text.rpartition(":")[0].strip("[]"), text.strip("[]")):
        try:
            address = ip_address(candidate)
        except ValueError:
            continue
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return mapped or address
    return None


def _limited_part(address: _Address | None) -> str:
    """Return what limits count: whoever has an IPv6 address has all of its network."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _SUBNET_BITS), strict=False))
    return str(address or "")
