"""Servers over HTTP as processes of their own: the product as a team starts it, and the suite's fixture server."""

from pathlib import Path

from support.processes import HttpServer, ListeningServer

_TESTS = Path(__file__).parents[1]


def product(home: Path) -> HttpServer:
    """`contacts-mcp serve` over an embedded directory, without a rate limit."""
    return HttpServer(home, "--directory", str(home / "contacts.db"), CONTACTS_MCP_RATE="0")


def fixture(home: Path) -> ListeningServer:
    return ListeningServer(home, "conformance.fixture_server", str(home / "contacts.db"), cwd=_TESTS)
