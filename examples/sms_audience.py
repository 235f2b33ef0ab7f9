"""Put every contact with a tag into a group for SMS, page by page, through the tools.

Run it with `python3 -m uv run python examples/sms_audience.py [TAG]`. With `WAYSCLOUD_API_KEY` set it works on your
contacts; without one it fills a temporary directory first.
"""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

SAMPLE = (
    {"name": "Ola Nordmann", "phone_number": "+4799999999", "tags": ["newsletter"]},
    {"name": "Kari Nordmann", "phone_number": "+4790000001", "tags": ["newsletter", "vip"]},
    {"name": "Bjørn Håkonsen", "email": "bjorn@example.com", "tags": ["newsletter"]},
)


async def main(tag: str) -> None:
    """Build the group, and print who in it an SMS will not reach."""
    with TemporaryDirectory() as folder:
        async with Client(server(Path(folder))) as client:
            if not has_key():
                for contact in SAMPLE:
                    await call(client, "create_contact", **contact)
            await build(client, tag)


async def build(client: Client, tag: str) -> None:
    """Create the group and add a page of contacts at a time; adding a contact twice is safe."""
    group = await call(client, "create_contact_group", name=f"Contacts tagged {tag}")
    async for page in tagged(client, tag):
        ids = [contact["id"] for contact in page]
        answer = await call(client, "add_group_members", group_id=group["id"], contact_ids=ids)
        unreached = [contact["name"] for contact in page if not contact.get("phone_number", "").startswith("+")]
        print(f"added {answer['added']}; without an E.164 number: {', '.join(unreached) or 'none'}")
    print("group:", await call(client, "get_contact_group", group_id=group["id"]))


async def tagged(client: Client, tag: str) -> AsyncIterator[list[dict[str, Any]]]:
    """The contacts with a tag, a hundred at a time."""
    page: int | None = 1
    while page:
        answer = await call(client, "list_contacts", tags=[tag], per_page=100, page=page)
        if answer["contacts"]:
            yield answer["contacts"]
        page = answer.get("next_page")


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool; an error of the server is one line that can be shown as it is."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise SystemExit(result.content[0].text)  # type: ignore[union-attr]
    return dict(result.structured_content)


def server(folder: Path) -> StdioServerParameters:
    """The server, with the key if there is one: the SDK passes on no variables by itself."""
    names = ("WAYSCLOUD_API_KEY", "WAYSCLOUD_API_URL")
    variables = {name: os.environ[name] for name in names if name in os.environ}
    where = [] if has_key() else ["--directory", str(folder / "contacts.db")]
    return StdioServerParameters(command=sys.executable, args=["-m", "contacts_mcp", "serve", *where], env=variables)


def has_key() -> bool:
    """Whether this works on your own contacts."""
    return bool(os.environ.get("WAYSCLOUD_API_KEY"))


anyio.run(main, sys.argv[1] if len(sys.argv) > 1 else "newsletter")
