"""list_plan_rows: the plan of a bulk tool row by row, for a panel in which a person reviews it."""

from collections.abc import Iterator
from typing import Any, Literal

import anyio.to_thread
from pydantic import Field

from contacts_mcp.guard import hash_json
from contacts_mcp.tools._add_matching_to_group import add_matching_to_group
from contacts_mcp.tools._answers import PanelAnswer
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._import_contacts import import_contacts
from contacts_mcp.tools._listings import MAX_PAGE_ROWS, Listing, PartRow, build_listing
from contacts_mcp.tools._merge_contacts import merge_contacts
from contacts_mcp.tools._plan_row import CHANGING_ACTIONS, PlanRow, RowedPlan
from contacts_mcp.tools._references import ParsedArguments, parse_arguments
from contacts_mcp.tools._resolve import resolve_names
from contacts_mcp.tools._tool import Backend, PlanRows, Tool, read_tool
from contacts_mcp.tools._turns import ProgressReporter
from contacts_mcp.tools._update_matching_contacts import update_matching_contacts

_CHANGES, _ATTENTION = "changes", "attention"
_PLAN_TOOLS = {
    tool.name: tool for tool in (import_contacts, update_matching_contacts, add_matching_to_group, merge_contacts)
}
_APPLYING = ("apply", "plan")
"""Arguments that apply a plan, which make no difference to its rows."""


class ListPlanRows(Arguments):
    """List the rows of the plan that a call of a bulk tool would make. Changes nothing."""

    tool: Literal["import_contacts", "update_matching_contacts", "add_matching_to_group", "merge_contacts"]
    arguments: dict[str, Any] = Field(description="The arguments of the tool's call.")
    offset: int = Field(default=0, ge=0, description="Rows to skip.")
    limit: int = Field(default=100, ge=1, le=MAX_PAGE_ROWS)
    show: Literal["all", "changes", "attention"] = "all"


class PlanRowPage(PanelAnswer):
    """Rows of a plan from `offset` on. There may be fewer than `limit`: the next page begins after the last of them."""

    plan: str = Field(description="The plan's id: another than before if the plan has changed.")
    total: int = Field(description="Rows that `show` selects.")
    changes: int = Field(description="Rows that change something.")
    attention: int = Field(description="Rows that a person should look at.")
    not_listed: int | None = Field(default=None, description="Further rows, which are too many to list.")
    rows: list[PlanRow]


async def _run(backend: Backend, arguments: ListPlanRows) -> PlanRowPage:
    """Return a page. The first page of a view plans anew; further pages show that plan for some minutes."""
    tool = _PLAN_TOOLS[arguments.tool]
    given = {name: value for name, value in arguments.arguments.items() if name not in _APPLYING}
    parsed = parse_arguments(tool.arguments, tool.input_schema, given)
    key = await anyio.to_thread.run_sync(_key_of, tool.name, parsed)
    listing = backend.listings.find(backend.owner, key) if arguments.offset else None
    if listing is None:
        listing = await _list_rows(backend, tool, parsed)
        backend.listings.keep(backend.owner, key, listing)
    return await anyio.to_thread.run_sync(_to_page, listing, arguments)


def _key_of(tool: str, parsed: ParsedArguments) -> str:
    """Return a key of the calls that make the same plan, as long as nothing changes."""
    named = [[each.reference.by_id, *each.items] for each in parsed.named]
    return hash_json([tool, parsed.clean.values, named])


async def _list_rows(backend: Backend, tool: Tool, parsed: ParsedArguments) -> Listing:
    """Plan the call, and list the plan's rows."""
    arguments = await resolve_names(backend, parsed, only_reads=True)
    plan = await _require_planner(tool)(backend, arguments)
    listing = await build_listing(_iter_parts(plan), ProgressReporter(backend.report, "rows listed"))
    listing.facts = plan.fingerprint
    return listing


def _require_planner(tool: Tool) -> PlanRows:
    assert tool.plan_rows
    return tool.plan_rows


def _iter_parts(plan: RowedPlan) -> Iterator[PartRow]:
    for row in plan.iter_rows():
        parts = [_CHANGES] * (row.action in CHANGING_ACTIONS) + [_ATTENTION] * bool(row.notes)
        yield PartRow(row, parts)


def _to_page(listing: Listing, arguments: ListPlanRows) -> PlanRowPage:
    shown = listing.page(arguments.show, arguments.offset, arguments.limit)
    left_out = {"not_listed": listing.left_out} if listing.left_out else {}
    return PlanRowPage(
        plan=listing.facts,
        total=listing.count(arguments.show),
        changes=listing.count(_CHANGES),
        attention=listing.count(_ATTENTION),
        **left_out,
        rows=[PlanRow.model_validate_json(row) for row in shown],
    )


list_plan_rows = read_tool("list_plan_rows", ListPlanRows, PlanRowPage, _run, for_panel=True)
