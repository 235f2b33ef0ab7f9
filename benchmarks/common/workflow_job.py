"""One job in its own process: `python -m common.workflow_job JOB CONTACTS [URL]`.

The URL is that of an API or of a PostgreSQL database; without one, the directory is a new file. It prints the seconds
and the peak memory as a line of JSON. `fill FOLDER` instead imports the file in a folder, so that the memory of that
import is not counted.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from common.contact_file import write_contact_file
from common.processes import API_KEY
from common.workflow_client import CONTACT_FILE, WorkflowClient, open_client

from contacts_mcp.app import Embedded, Platform
from contacts_mcp.client import ContactsClient, Credential
from contacts_mcp.directory import parse_location


async def _import(client: WorkflowClient) -> None:
    await client.plan_and_apply("import_contacts", path=CONTACT_FILE)


async def _find_duplicates(client: WorkflowClient) -> None:
    await client.call("find_duplicate_contacts")


async def _export(client: WorkflowClient) -> None:
    await client.call("export_contacts", path="out.csv")


async def _add_to_group(client: WorkflowClient) -> None:
    group = await client.call("create_contact_group", name="Audience")
    await client.plan_and_apply("add_matching_to_group", group_id=group["id"], tags=["tag0"])


JOBS: dict[str, Callable[[WorkflowClient], Awaitable[object]]] = {
    "import": _import,
    "import-without-extensions": _import,
    "duplicates": _find_duplicates,
    "export": _export,
    "group": _add_to_group,
}


async def _no_extensions(_client: ContactsClient) -> frozenset[str]:
    return frozenset()


async def main(job: str, contacts: int, url: str | None) -> None:
    """Run the job; the directory is filled first, by another process, unless the job is an import."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_contact_file(folder / CONTACT_FILE, contacts)
        if job == "import-without-extensions":
            ContactsClient.extensions = _no_extensions  # type: ignore[method-assign]
        if JOBS[job] is not _import:
            command = [sys.executable, "-m", "common.workflow_job", "fill", name]
            await asyncio.to_thread(subprocess.run, command, check=True)
        async with open_client(folder, _backend_at(url) if url else None) as client:
            await client.call("list_contacts")  # opens the backend
            started = time.perf_counter()
            await JOBS[job](client)
            seconds = time.perf_counter() - started
    peak_megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_megabytes": peak_megabytes}), flush=True)


def _backend_at(url: str) -> Embedded | Platform:
    if url.startswith("postgresql:"):
        return Embedded(parse_location(url), "a benchmark")
    return Platform(Credential.key(API_KEY, "a benchmark"), url)


async def fill(folder: Path) -> None:
    """Import the file in the folder."""
    async with open_client(folder) as client:
        await _import(client)


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        asyncio.run(fill(Path(sys.argv[2])))
    else:
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), next(iter(sys.argv[3:]), None)))
