"""How fast the directory answers with many contacts in it, on both engines, at the store's door (no HTTP).

    uv run python benchmarks/directory.py [--contacts 1000000] [--engine sqlite|postgresql] [--check]

A new directory is filled with made-up contacts; PostgreSQL runs on this machine with its ordinary safety on.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent / "parts"), str(Path(__file__).parents[1] / "tests")]
    from over_directory import main

    sys.exit(main())
