"""One job in a process of its own: seconds and peak memory, as JSON on a line. Arguments: job, size, [address]."""

import asyncio
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from people import write
from workflow_host import Host, hosting

from contacts_mcp.app import Platform
from contacts_mcp.client import ContactsClient, Credential

_KEY = "wayscloud_pat_bench_x"
PreparedCall = Callable[[Host], Awaitable[object]]


async def _import(host: Host) -> None:
    await host.applied("import_contacts", path="people.csv")


async def _duplicates(host: Host) -> None:
    await host.call("find_duplicate_contacts")


async def _export(host: Host) -> None:
    await host.call("export_contacts", path="out.csv")


async def _group(host: Host) -> None:
    group = await host.call("create_contact_group", name="Audience")
    await host.applied("add_matching_to_group", group_id=group["id"], tags=["tag0"])


JOBS: dict[str, PreparedCall] = {
    "import": _import,
    "singly": _import,
    "duplicates": _duplicates,
    "export": _export,
    "group": _group,
}


async def _no_additions(_client: ContactsClient) -> frozenset[str]:
    return frozenset()


async def main(job: str, size: int, address: str | None) -> None:
    """Measure the job, on a directory that another process has filled unless the job does."""
    logging.getLogger("contacts_mcp.trail").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "people.csv", size)
        if job == "singly":
            ContactsClient.extensions = _no_additions  # type: ignore[method-assign]
        if JOBS[job] is not _import:
            await asyncio.to_thread(subprocess.run, [sys.executable, __file__, "fill", str(folder)], check=True)
        backend = Platform(Credential.key(_KEY, "a benchmark"), address) if address else None
        async with hosting(folder, backend) as host:
            await host.call("list_contacts")  # a server has been used before
            began = time.perf_counter()
            await JOBS[job](host)
            seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak}), flush=True)


async def fill(folder: Path) -> None:
    """Import the file that is in the folder."""
    logging.getLogger("contacts_mcp.trail").setLevel(logging.ERROR)
    async with hosting(folder) as host:
        await _import(host)


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        asyncio.run(fill(Path(sys.argv[2])))
    else:
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), next(iter(sys.argv[3:]), None)))
