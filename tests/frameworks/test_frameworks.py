"""Frameworks and SDKs, each in its own environment, run their example against a real server over stdio and HTTP."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.suite import served_product
from frameworks.clients import CLIENTS, EXAMPLES, Client
from frameworks.scenario_run import run_example

pytestmark = pytest.mark.frameworks
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over HTTP, which the clients share."""
    with served_product(tmp_path_factory.mktemp("server")) as server:
        yield f"{server.url}/mcp"


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The command of a server over stdio with a home folder of its own, whatever environment a client passes on."""
    home = [f"HOME={tmp_path}", f"XDG_DATA_HOME={tmp_path / 'data'}"]
    serve = [sys.executable, "-m", "contacts_mcp", "serve", "--directory", str(tmp_path / "contacts.db")]
    return ["env", *home, *serve]


@each_client
def test_client_passes_the_scenario_over_stdio(client: Client, command: list[str]) -> None:
    faults = run_example(client, command).faults()

    assert not faults, "\n".join(faults)


@each_client
def test_client_passes_the_scenario_over_http(client: Client, address: str) -> None:
    faults = run_example(client, [address]).faults()

    assert not faults, "\n".join(faults)


def test_every_example_is_in_the_matrix() -> None:
    examples = {path.name for path in EXAMPLES.glob("with_*")}

    assert examples == {client.example for client in CLIENTS}
