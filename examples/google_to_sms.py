"""From a Google Contacts export to an SMS group without duplicates, every number in E.164, in six tool calls.

Run it with `python3 -m uv run python examples/google_to_sms.py [--yes] [EXPORT.csv]`. It works on a temporary
directory; `--yes` answers the guard's question without asking at the terminal.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.to_thread
from mcp import Client, StdioServerParameters
from mcp_types import ElicitRequestParams, ElicitResult

SAMPLE = Path(__file__).parent / "google_contacts.csv"
YES = "--yes" in sys.argv


async def main(export: Path) -> None:
    """Create a group, plan, import, find duplicates, merge, check."""
    with TemporaryDirectory() as folder:
        shutil.copy(export, Path(folder) / "export.csv")
        async with Client(server(Path(folder)), elicitation_callback=ask) as client:
            group = await call(client, "create_contact_group", name="Newsletter by SMS")
            wanted = {"path": "export.csv", "default_region": "NO", "group_id": group["id"]}
            plan = await call(client, "import_contacts", **wanted)
            counts = f"{plan['new_contacts']} new, {plan['duplicates']} repeated, {plan['invalid']} invalid"
            print(f"{plan['rows']} rows: {counts}")
            await call(client, "import_contacts", **wanted, apply=True, plan=plan["plan"])
            await merge_first(client, await call(client, "find_duplicate_contacts"))
            audience = await call(client, "check_group_audience", group_id=group["id"])
            print(f"{audience['reachable']} of {audience['members']} members are reached by SMS")


async def merge_first(client: Client, found: dict[str, Any]) -> None:
    """Merge the most certain duplicate; the guard asks the person first."""
    for cluster in found["clusters"][:1]:
        keep, *others = (contact["id"] for contact in cluster["contacts"])
        print(f"{cluster['confidence']} by {', '.join(cluster['evidence'])}")
        merged = await call(client, "merge_contacts", keep_id=keep, merge_ids=others)
        if merged.get("done") is False:  # the person did not agree
            raise SystemExit(merged["reason"])
        print("merged:", merged["contact"]["name"], [conflict["field"] for conflict in merged["conflicts"]])


async def ask(context: object, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001
    """Show the guard's question and return the person's answer."""
    print(params.message)
    answer = "merge" if YES else await anyio.to_thread.run_sync(at_terminal)
    return ElicitResult(action="accept", content={"decision": answer})


def at_terminal() -> str:
    """The person's decision; without a terminal, keep both contacts."""
    return input("merge or keep? ") if sys.stdin.isatty() else "keep"


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool; an error of the server is one line that can be shown as it is."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise SystemExit(result.content[0].text)  # type: ignore[union-attr]
    return dict(result.structured_content)


def server(folder: Path) -> StdioServerParameters:
    """The server on a temporary directory, with the folder that it may use for files."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "contacts_mcp", "serve", "--directory", str(folder / "contacts.db")],
        env={"CONTACTS_MCP_FILES": str(folder)},
    )


given = [argument for argument in sys.argv[1:] if argument != "--yes"]
anyio.run(main, Path(given[0]) if given else SAMPLE)
