"""Several workers of one uvicorn: they work with shared keys; without them the server stops with an error."""

import os
import signal

import pytest

from network.servers import is_serving, over_directory, run_workers
from support.processes import block_until
from support.raw_hosts import ModernConnection

pytestmark = pytest.mark.system

REFUSED = "a second worker needs CONTACTS_MCP_STATE_KEYS, because workers have to finish each other's confirmations; "


@pytest.mark.load
def test_second_worker_without_shared_keys_stops_the_server(tmp_path):
    """One line says what to set. No worker is restarted in a loop."""
    with run_workers(tmp_path, over_directory(tmp_path / "contacts.db", STATE_KEYS=""), 2) as server:
        server.process.wait(30)

        assert server.written.count(REFUSED) == 1
        assert server.written.count("contacts-mcp 0.") == 2
        assert "Traceback" not in server.written
        assert not is_serving(server.port)


def test_invalid_setting_stops_all_workers_with_one_line(tmp_path):
    """The exit code tells uvicorn and gunicorn not to start another worker."""
    with run_workers(tmp_path, over_directory(tmp_path / "contacts.db", RATE="many"), 1) as server:
        server.process.wait(30)

        assert server.process.returncode == 3
        assert server.written == (
            "contacts-mcp: CONTACTS_MCP_RATE: should be a valid integer, unable to parse string as an integer\n"
        )


async def test_single_worker_needs_no_shared_keys(tmp_path):
    with run_workers(tmp_path, over_directory(tmp_path / "contacts.db", STATE_KEYS=""), 1) as server:
        block_until(lambda: is_serving(server.port), "the worker does not answer")

        assert (await deleted(server.port))["done"]


@pytest.mark.load
async def test_killed_worker_is_replaced(tmp_path):
    """The other worker continues meanwhile."""
    with run_workers(tmp_path, over_directory(tmp_path / "contacts.db"), 2) as server:
        block_until(lambda: len(server.workers()) == 2, "the two workers do not start")
        os.kill(server.workers()[0], signal.SIGKILL)

        assert (await deleted(server.port))["done"]
        block_until(lambda: len(server.workers()) == 3, "the dead worker is not replaced")
        assert (await deleted(server.port))["done"]


async def deleted(port):
    """The answer to a confirmed deletion, whose rounds may reach different workers."""
    async with ModernConnection(port) as first, ModernConnection(port) as second:
        created = await first.call("create_contact", name="Ola Nordmann")
        ola = {"contact_id": created.content["id"]}
        question = await first.call("delete_contact", **ola)
        return (await second.answer(question, "delete_contact", "delete", **ola)).content
