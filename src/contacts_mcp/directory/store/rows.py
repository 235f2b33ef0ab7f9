"""Rows of the tables, as this package hands them on."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

Row = Mapping[str, Any] | RowMapping
"""Columns by name."""
