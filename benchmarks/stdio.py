"""What our server costs over stdio, against a bare server on the same SDK and the same machine.

    uv run python benchmarks/stdio.py [--quick] [--check]

Both servers run in one go and by turns, since the machine's speed changes from minute to minute; figures are
medians. Traffic stays on this machine.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parent / "parts")
    from over_stdio import main

    sys.exit(main())
