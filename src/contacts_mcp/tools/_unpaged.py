"""Lists that the API answers whole, shown a page at a time: a group may have a hundred thousand members."""

from collections.abc import Sequence
from typing import Any

from contacts_mcp.tools._answers import next_page


def cut_page(rows: Sequence[Any], page: int, per_page: int) -> tuple[list[Any], dict[str, Any]]:
    """The rows of one page, and where that page stands in the whole."""
    start = (page - 1) * per_page
    shown = list(rows[start : start + per_page])
    return shown, {
        "total": len(rows),
        "page": page,
        "per_page": per_page,
        "next_page": next_page(page, per_page, len(shown), len(rows)),
    }
