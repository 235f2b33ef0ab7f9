"""Append records to a trail and print the number of each: `writer.py FILE COUNT ROTATE_AT_BYTES`."""

import asyncio
import sys
from pathlib import Path

from contacts_mcp.audit import TrailFile


async def write(path: Path, number: int, rotate_at: int) -> None:
    file = TrailFile(lambda: path, rotate_at=rotate_at)
    for _ in range(number):
        record = await file.append({"tool": "create_contact", "outcome": "done"}, durable=False)
        print(record["seq"], flush=True)  # noqa: T201


asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
