"""Appends records to a trail, and says each one's number: `writer.py FILE HOW_MANY BYTES_THAT_FILL_A_FILE`."""

import asyncio
import sys
from pathlib import Path

from contacts_mcp.audit import TrailFile


async def write(path: Path, number: int, full: int) -> None:
    file = TrailFile(lambda: path, full=full)
    for _ in range(number):
        record = await file.append({"tool": "create_contact", "outcome": "done"}, durable=False)
        print(record["seq"], flush=True)  # noqa: T201


asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
