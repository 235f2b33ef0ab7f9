"""Frameworks and SDKs, each in its own environment, run their example against a real server over stdio and HTTP."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.suite import served_product
from frameworks.clients import CLIENTS, EXAMPLES, Client
from frameworks.scenario_run import STEPS, run_example

pytestmark = pytest.mark.frameworks
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over HTTP, which the clients share."""
    with served_product(tmp_path_factory.mktemp("server")) as server:
        yield f"{server.url}/mcp"


@each_client
def test_client_passes_the_scenario_over_stdio(client: Client, tmp_path: Path) -> None:
    """The server has a home folder of its own, whatever environment the client passes on, and counts its starts."""
    starts = tmp_path / "starts"
    count = ["sh", "-c", 'echo >> "$0"; exec "$@"', str(starts)]
    home = ["env", f"HOME={tmp_path}", f"XDG_DATA_HOME={tmp_path / 'data'}"]
    serve = [sys.executable, "-m", "contacts_mcp", "serve", "--directory", str(tmp_path / "contacts.db")]

    faults = run_example(client, [*count, *home, *serve]).faults()

    assert not faults, "\n".join(faults)
    assert (starts.read_text().count("\n") > len(STEPS)) == client.starts_per_call


@each_client
def test_client_passes_the_scenario_over_http(client: Client, address: str) -> None:
    faults = run_example(client, [address]).faults()

    assert not faults, "\n".join(faults)


def test_every_example_is_in_the_matrix() -> None:
    examples = {path.name for path in EXAMPLES.glob("with_*")}

    assert examples == {client.example for client in CLIENTS}
