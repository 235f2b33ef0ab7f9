"""The lines of an audit trail, as whoever tampers with them sees them."""

from collections.abc import Callable
from pathlib import Path

SAYS = {"time": "2026-11-24T10:00:00.000Z", "tool": "delete_contact", "outcome": "done", "caller": "local"}
"""What a record may say."""


def rewrite(path: Path, tamper: Callable[[list[bytes]], list[bytes]]) -> None:
    """Put other lines in the place of those that are there, in the same file."""
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
