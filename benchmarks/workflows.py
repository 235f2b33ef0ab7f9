"""What workflow tools take in time and memory, and what they save a model.

    uv run python benchmarks/workflows.py [--quick] [--check] [--costs | --jobs]

Each job runs in a process of its own, through the real server and an MCP client, on an embedded directory in a fresh
file. Traffic stays on this machine.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parent / "parts")
    from over_workflows import main

    sys.exit(main())
