"""The steps that workflow tools share: choose contacts, plan, send many calls, count, show."""

from contacts_mcp.tools.steps._pace import AT_ONCE, Pace
from contacts_mcp.tools.steps._plan import MANY, Fresh, Plan, Planned, fingerprint_of, plan_or_apply
from contacts_mcp.tools.steps._progress import Progress, in_turns
from contacts_mcp.tools.steps._select import (
    SHOWN_IN_LISTS,
    Filter,
    Filtered,
    FilteredOrGrouped,
    chosen,
    complete,
    member_ids,
)
from contacts_mcp.tools.steps._show import brief, cut, some
from contacts_mcp.tools.steps._write import Outcome, Writing, join_group, write_all

__all__ = [
    "AT_ONCE",
    "MANY",
    "SHOWN_IN_LISTS",
    "Filter",
    "Filtered",
    "FilteredOrGrouped",
    "Fresh",
    "Outcome",
    "Pace",
    "Plan",
    "Planned",
    "Progress",
    "Writing",
    "brief",
    "chosen",
    "complete",
    "cut",
    "fingerprint_of",
    "in_turns",
    "join_group",
    "member_ids",
    "plan_or_apply",
    "some",
    "write_all",
]
