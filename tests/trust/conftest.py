"""Fixtures of the trust tests, and their marker."""

from pathlib import Path

import pytest

from trust.guard import refused, servers

__all__ = ["refused", "servers"]

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, except the endurance run, with `trust`."""
    for item in items:
        if item.path.is_relative_to(_HERE) and not item.get_closest_marker("endurance"):
            item.add_marker(pytest.mark.trust)
