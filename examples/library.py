"""The API client without MCP: typed calls, typed answers, typed errors.

Run it with `WAYSCLOUD_API_KEY=... python3 -m uv run python examples/library.py`. Without a key it uses an embedded
directory in a temporary file, which speaks the same API.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from contacts_mcp.client import ContactsClient
from contacts_mcp.contract import CreateContact, GetContact, ListContacts, NotFound, UpdateContact


async def use(client: ContactsClient) -> None:
    """Create, change, read and list."""
    created = await client.send(CreateContact(name="Ola Nordmann", phone_number="+4799999999", tags=["vip"]))
    changed = await client.send(UpdateContact(contact_id=created.id, notes="Key contact", email=None))
    print("contact:", changed.model_dump_json(exclude_none=True))

    async for contact in client.iterate(ListContacts(tags=["vip"])):
        print("listed:", contact.name, contact.phone_number)

    try:
        await client.send(GetContact(contact_id="00000000-0000-0000-0000-000000000000"))
    except NotFound as exc:
        print("error:", exc)


async def main() -> None:
    """Use the platform if there is a key, else the embedded directory."""
    if os.environ.get("WAYSCLOUD_API_KEY"):
        async with ContactsClient.from_environment() as client:
            await use(client)
        return
    with TemporaryDirectory() as folder:
        async with ContactsClient.for_directory(Path(folder) / "contacts.db") as client:
            await use(client)


anyio.run(main)
