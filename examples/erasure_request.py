"""A client that shows the guard's question to a person; the contact is erased only if they type its name.

Run it with `python3 -m uv run python examples/erasure_request.py`; it asks at the terminal. An argument is
taken as the answer instead: `... examples/erasure_request.py "Ola Nordmann"`. It needs no account.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.to_thread
from mcp import Client, StdioServerParameters
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult


async def ask_person(context: object, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001
    """Show the question and return the typed answer. A person has to answer, however an application shows it."""
    if not isinstance(params, ElicitRequestFormParams):
        return ElicitResult(action="decline")
    print("\nThe server asks:", params.message, sep="\n  ")
    (field,) = params.requested_schema["properties"]
    typed = sys.argv[1] if len(sys.argv) > 1 else await anyio.to_thread.run_sync(at_terminal)
    return ElicitResult(action="accept" if typed else "decline", content={field: typed} if typed else None)


def at_terminal() -> str:
    """The text that the person types; empty without a terminal."""
    return input("> ") if sys.stdin.isatty() else ""


async def main() -> None:
    """Create a contact and request its erasure."""
    with TemporaryDirectory() as folder:
        database = Path(folder) / "contacts.db"
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "contacts_mcp", "serve", "--directory", str(database)]
        )
        async with Client(server, elicitation_callback=ask_person) as client:
            ola = {"name": "Ola Nordmann", "email": "ola@example.com"}
            created = (await client.call_tool("create_contact", ola)).structured_content
            request = {"contact_id": created["id"], "reason": "Request of 3 March under GDPR article 17"}
            result = await client.call_tool("gdpr_delete_contact", request)
            if result.is_error:
                raise SystemExit(result.content[0].text)  # type: ignore[union-attr]
            answer = result.structured_content
            print("\nnot erased:", answer["reason"]) if "reason" in answer else print("\nerased:", answer["seen"])


anyio.run(main)
