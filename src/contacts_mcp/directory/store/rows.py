"""Rows of the tables, as this package hands them on."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
"""Columns by name."""
