"""Fixtures for the tests of the audit trail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contacts_mcp.audit import TrailFile
from support.telemetry import FIELDS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trail" / "audit.jsonl"


@pytest.fixture
def lines(path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Read the records that are in the file now."""
    return lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def filled(path: Path) -> Callable[..., Any]:
    """Append records that are numbered from 0 in `count`."""

    async def fill(number: int, **options: Any) -> None:
        file = TrailFile(lambda: path, **options)
        for count in range(number):
            await file.append({**FIELDS, "count": count}, durable=False)

    return fill
