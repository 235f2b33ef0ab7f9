"""Ports for servers that have to be told theirs; whatever can choose its own listens on port 0 and says which it is."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """Ports of this machine that nobody else is given meanwhile; a server that reuses addresses may listen on them."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]


@contextmanager
def free_port() -> Iterator[int]:
    """One of them."""
    with free_ports(1) as (port,):
        yield port
