"""The steps that workflow tools share: choose contacts, plan, send many calls, count, show."""

from contacts_mcp.tools.steps._pace import AT_ONCE, JobClient
from contacts_mcp.tools.steps._plan import MANY, Plan, Planned, RefreshingPlan, fingerprint_of, plan_or_apply
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
    "JobClient",
    "Outcome",
    "Plan",
    "Planned",
    "Progress",
    "RefreshingPlan",
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
