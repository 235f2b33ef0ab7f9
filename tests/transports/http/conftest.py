"""An issuer over real HTTP, the server's view of it, and a clock."""

from collections.abc import Iterator

import pytest

from contacts_mcp.transports.http.access._tokens import Issuer
from support.clock import Clock
from support.processes import HttpServer
from transports.http.issuer import AUDIENCE, LoopbackIssuer


@pytest.fixture
def server() -> Iterator[LoopbackIssuer]:
    with LoopbackIssuer() as running:
        yield running


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    """A server on the embedded directory, without authentication."""
    with HttpServer(tmp_path_factory.mktemp("network"), CONTACTS_MCP_RATE="0") as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(server: LoopbackIssuer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    """The issuer; the server waits long for its keys, since the speed of the machine is not tested."""
    monkeypatch.setattr("contacts_mcp.transports.http.access._signing_keys.FETCH_TIMEOUT_SECONDS", 60.0)
    return Issuer(server.url, AUDIENCE, clock=clock)
