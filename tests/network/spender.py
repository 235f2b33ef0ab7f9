"""Spend nonces in a directory: `python spender.py FILE NAME` reads a JSON list of them and prints those that were new.

Each is spent twice, all at the same time.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from contacts_mcp.directory import Directory


async def main(path: Path, name: str) -> None:
    async with Directory(path) as directory:
        await directory.spend(f"ready {name}", time.time() + 600)
        print("ready", flush=True)  # noqa: T201 - what the test waits for
        nonces = json.loads(await asyncio.to_thread(sys.stdin.readline)) * 2
        spent = await asyncio.gather(*(directory.spend(nonce, time.time() + 600) for nonce in nonces))
        print(json.dumps([nonce for nonce, first in zip(nonces, spent, strict=True) if first]))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
