"""Fields for test records, and a way to tamper with the lines of an audit trail."""

from collections.abc import Callable
from pathlib import Path

FIELDS = {"time": "2026-11-24T10:00:00.000Z", "tool": "delete_contact", "outcome": "done", "caller": "local"}
"""The fields of a record."""


def rewrite(path: Path, tamper: Callable[[list[bytes]], list[bytes]]) -> None:
    """Replace the lines of a file."""
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
