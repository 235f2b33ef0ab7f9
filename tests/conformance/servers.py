"""Servers over HTTP as processes of their own: the product as a team starts it, and the suite's fixture server."""

from pathlib import Path

from processes import Listening, Network

_TESTS = Path(__file__).parents[1]


def product(home: Path) -> Network:
    """`contacts-mcp serve` over an embedded directory, without a rate limit."""
    return Network(home, "--directory", str(home / "contacts.db"), CONTACTS_MCP_RATE="0")


def fixture(home: Path) -> Listening:
    """The fixture server."""
    return Listening(home, "conformance.fixture_server", str(home / "contacts.db"), cwd=_TESTS)
