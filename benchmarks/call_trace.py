"""Which files and functions of the package one tool call runs, from the SDK's request to the row in the database.

    uv run python benchmarks/call_trace.py [--table]

The server, the client and the embedded directory run in this process, so that `sys.setprofile` sees all of them. The
first call of each tool opens and imports what is needed and is not traced. With `--table` every function is listed in
the order in which it is first called, as in docs/architecture.md.
"""

import argparse
import asyncio
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from mcp import Client
from mcp_types import ElicitResult

import contacts_mcp
from contacts_mcp.app import Embedded, build_app
from contacts_mcp.settings import load_settings

PACKAGE = Path(contacts_mcp.__file__).parent
CONTACTS = "name,phone\nOla Nordmann,+4799999991\nKari Nordmann,+4799999992\n"

Function = tuple[str, str, bool]
"""A file below the package, the qualified name of a function in it, and whether it ran on the event loop's thread."""
CallTool = Callable[..., Awaitable[dict[str, Any]]]


class Tracer:
    """Collects the functions of the package that run while it is on, each once, in the order of their first call."""

    def __init__(self) -> None:
        self._seen: dict[Function, None] | None = None
        threading.setprofile(self._profile)  # Python 3.11 cannot add it to threads that run already
        sys.setprofile(self._profile)

    @contextmanager
    def on(self) -> Iterator[list[Function]]:
        """Collect inside the block; the list is complete when it ends."""
        functions: list[Function] = []
        self._seen = {}
        try:
            yield functions
        finally:
            functions.extend(self._seen)
            self._seen = None

    def _profile(self, frame: FrameType, event: str, _argument: object) -> None:
        if self._seen is None or event != "call" or not frame.f_code.co_filename.startswith(str(PACKAGE)):
            return
        name = frame.f_code.co_qualname
        if not name.endswith(">"):  # comprehensions and lambdas belong to the function around them
            on_event_loop = threading.current_thread() is threading.main_thread()
            self._seen.setdefault((str(Path(frame.f_code.co_filename).relative_to(PACKAGE)), name, on_event_loop))


async def delete_contact(call: CallTool, tracer: Tracer) -> list[Function]:
    """Delete a contact; the person agrees."""
    first, second = [(await call("create_contact", type="person", name=name))["id"] for name in ("Ola", "Kari")]
    await call("delete_contact", contact_id=first)
    with tracer.on() as functions:
        await call("delete_contact", contact_id=second)
    return functions


async def import_contacts(call: CallTool, tracer: Tracer) -> list[Function]:
    """Import two rows: the plan and its application."""
    await call("import_contacts", content=CONTACTS)
    content = CONTACTS.replace("999999", "888888").replace("Nordmann", "Hansen")
    with tracer.on() as functions:
        plan = await call("import_contacts", content=content)
        await call("import_contacts", content=content, apply=True, plan=plan["plan"])
    return functions


async def measure(scenario: Callable[[CallTool, Tracer], Awaitable[list[Function]]], tracer: Tracer) -> list[Function]:
    """Run one scenario on a server and a directory of its own."""

    async def agree(_context: object, _params: object) -> ElicitResult:
        return ElicitResult(action="accept", content={"decision": "delete"})

    with tempfile.TemporaryDirectory() as folder:
        app = build_app(load_settings(), Embedded(Path(folder, "contacts.db"), "a benchmark"))
        async with Client(app.server, mode="2026-07-28", elicitation_callback=agree) as client:

            async def call(tool: str, **arguments: Any) -> dict[str, Any]:
                result = await client.call_tool(tool, arguments)
                if result.is_error:
                    raise RuntimeError(str(result.content))
                return result.structured_content or {}

            return await scenario(call, tracer)


def main() -> None:
    """Print the counts, or the table."""
    parser = argparse.ArgumentParser(description="Which files and functions one tool call runs.")
    parser.add_argument("--table", action="store_true", help="list every function, as a Markdown table")
    listed = parser.parse_args().table
    tracer = Tracer()
    for scenario in (delete_contact, import_contacts):
        functions = asyncio.run(measure(scenario, tracer))
        on_event_loop = [function for function in functions if function[2]]
        print(f"{scenario.__name__}: {_counts(on_event_loop)} on the event loop, {_counts(functions)} with threads")
        if listed:
            print(_table(functions))


def _counts(functions: Sequence[Function]) -> str:
    return f"{len({function[:2] for function in functions})} functions in {len({file for file, *_ in functions})} files"


def _table(functions: Sequence[Function]) -> str:
    files: dict[str, dict[str, None]] = {}
    for file, name, _ in functions:
        files.setdefault(file, {})[f"`{name}`"] = None
    rows = [f"| `{file}` | {', '.join(names)} |" for file, names in files.items()]
    return "\n".join(["\n| file | functions |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    main()
