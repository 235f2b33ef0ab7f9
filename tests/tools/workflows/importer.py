"""A process that imports a file, to be killed. Arguments: database, folder, file, and `singly` or `batches`."""

import asyncio
import sys
from pathlib import Path

from contacts_mcp.app import Embedded, connect
from contacts_mcp.client import ContactsClient
from contacts_mcp.folder import Folder
from contacts_mcp.tools import WORKFLOWS, Backend, parse_arguments


async def main(database: str, folder: str, name: str, singly: bool) -> None:
    """Plan, then apply."""
    connection = connect(Embedded(Path(database), "test"))
    (tool,) = (tool for tool in WORKFLOWS if tool.name == "import_contacts")
    if singly:

        async def none(_client: ContactsClient) -> frozenset[str]:
            return frozenset()

        ContactsClient.extensions = none
    async with connection.lifespan():
        backend = Backend(connection, "NO", files=Folder(Path(folder)))
        given = {"path": name}
        job = await tool.prepare(backend, parse_arguments(tool.arguments, tool.input_schema, given).arguments)
        plan = (await job.run()).plan
        sys.stdout.write("planned\n")
        sys.stdout.flush()
        if plan is not None:
            given |= {"apply": True, "plan": plan}
            job = await tool.prepare(backend, parse_arguments(tool.arguments, tool.input_schema, given).arguments)
            await job.run()
    sys.stdout.write("done\n")


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "singly"))
