"""Tests that try hard to have something lost, doubled, leaked or done without a trace."""

from pathlib import Path

import pytest

from trust.guard import refused, servers

__all__ = ["refused", "servers"]

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder are of `pytest -m trust`, and not of the plain suite."""
    for item in items:
        if item.path.is_relative_to(_HERE) and not item.get_closest_marker("endurance"):
            item.add_marker(pytest.mark.trust)
