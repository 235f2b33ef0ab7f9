"""Start the server over stdio with the MCP SDK's client, look at its tools, create a contact and find it again.

Run it with `python3 -m uv run python examples/quickstart.py`. It needs no account: the directory is a temporary file.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from mcp import Client, StdioServerParameters


async def main() -> None:
    """List the tools, create a contact, search for it."""
    with TemporaryDirectory() as folder:
        database = Path(folder) / "contacts.db"
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "contacts_mcp", "serve", "--directory", str(database)]
        )
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            print(f"{len(tools)} tools: {', '.join(tool.name for tool in tools)}")

            ola = {"name": "Ola Nordmann", "phone_number": "+4799999999", "tags": ["vip"]}
            created = await client.call_tool("create_contact", ola)
            print("created:", created.structured_content)

            found = await client.call_tool("list_contacts", {"search": "nordmann ola"})
            print("found:", found.structured_content)


anyio.run(main)
