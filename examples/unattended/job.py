"""What the unattended examples share: a server that can ask nobody, the calls of a job, and how the job ends.

A job never answers for a person. Its client offers no form, so the server refuses each call that needs consent: the job
keeps that call for a person and goes on with the rest. It prints figures and ids, and no personal data, because what a
scheduler prints is often kept and mailed.
"""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

from contacts_mcp.client import ContactsClient

DONE, FAILED, LEFT_FOR_A_PERSON = 0, 1, 3
"""The exit codes. A job that failed can be run again; 2 is Python's code for a wrong command."""
WRITE_BUDGET = 100
"""Changes in an hour: more than a normal night needs, and less than a wrong file can do damage."""
_FOR_A_PERSON = ("refused", "write_budget")
_MAX_PLANS = 3


class CallFailed(Exception):
    """The server's error: one line that begins with a code."""

    @property
    def code(self) -> str:
        """The code, which says what kind of error it is."""
        return str(self).partition(":")[0]


class Job:
    """The calls of a job, and what it leaves for a person."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.left: list[str] = []

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its answer. Raises CallFailed."""
        result = await self._client.call_tool(tool, arguments)
        if result.is_error:
            raise CallFailed(result.content[0].text)  # type: ignore[union-attr]
        return dict(result.structured_content)

    async def attempt(self, what: str, tool: str, **arguments: Any) -> dict[str, Any] | None:
        """Make a call that may need consent. If it is refused, leave it for a person and return None."""
        try:
            return await self.call(tool, **arguments)
        except CallFailed as exc:
            if exc.code not in _FOR_A_PERSON:
                raise
            self.left.append(f"{tool}, {what}\n  {exc}")
            return None

    async def apply(self, tool: str, **arguments: Any) -> dict[str, Any] | None:
        """Plan a change and apply that plan, or leave it for a person with its figures and return None.

        If the contacts change between the two calls, the plan no longer fits, and a new one is made.
        """
        for _ in range(_MAX_PLANS):
            plan = await self.call(tool, **arguments)
            if "plan" not in plan:  # there is nothing to change, as after an earlier run
                return plan
            try:
                return await self.attempt(figures(plan), tool, **arguments, apply=True, plan=plan["plan"])
            except CallFailed as exc:
                if exc.code != "conflict":
                    raise
        raise CallFailed(f"conflict: {tool} was planned {_MAX_PLANS} times, and the contacts changed each time")


Work = Callable[[Job], Awaitable[None]]
MakeSample = Callable[[Path, ContactsClient], Awaitable[None]]


def figures(plan: dict[str, Any]) -> str:
    """Return the counts of a plan that are not zero."""
    return ", ".join(f"{name} {value}" for name, value in plan.items() if type(value) is int and value)


def server(folder: Path) -> StdioServerParameters:
    """Return a server on the directory, the files and the trail in a folder."""
    where = {"--directory": "contacts.db", "--files": ".", "--audit": "audit.jsonl"}
    paths = [word for flag, name in where.items() for word in (flag, str(folder / name))]
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "contacts_mcp", "serve", *paths, "--default-region", "NO"],
        env={"CONTACTS_MCP_WRITE_BUDGET": str(WRITE_BUDGET)},
    )


def run(work: Work, make_sample: MakeSample) -> int:
    """Run a job in the folder that the command line names, or in a temporary one; return the exit code.

    A folder without a directory gets made-up contacts first.
    """
    with ExitStack() as stack:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(TemporaryDirectory()))
        code = anyio.run(_run, work, make_sample, folder)
        print(f"exit code {code}\n", flush=True)
        trail = ["audit", "show", "--file", str(folder / "audit.jsonl")]
        subprocess.run([sys.executable, "-m", "contacts_mcp", *trail], check=True)  # noqa: S603
        return code


async def _run(work: Work, make_sample: MakeSample, folder: Path) -> int:
    database = folder / "contacts.db"
    if not database.exists():
        async with ContactsClient.for_directory(database) as client:
            await make_sample(folder, client)
    async with Client(server(folder)) as client:  # without an elicitation_callback
        job = Job(client)
        try:
            await work(job)
        except CallFailed as exc:
            print("failed:", exc)
            return FAILED
    for each in job.left:
        print("left for a person:", each)
    return LEFT_FOR_A_PERSON if job.left else DONE
