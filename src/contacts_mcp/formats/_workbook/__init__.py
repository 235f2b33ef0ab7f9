"""A separate program: reads a workbook from standard input, writes the first sheet that is not empty as CSV.

A workbook of a few kilobytes can describe gigabytes of cells, which must not end the server. xlsx and ods are read as a
stream, within limits. Older formats are left to a library, which allocates every cell up to the farthest one, and
aborts its process if memory runs out.

The program imports nothing of the package `contacts_mcp`, which takes longer to import than most workbooks to read.
"""

from pathlib import Path

TOO_LARGE = 3
"""Exit status if memory, time or the given limits do not suffice."""
DAMAGED = 4

ARGUMENTS = ("-I", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import _workbook.__main__",
             str(Path(__file__).parent.parent))  # fmt: skip
"""The arguments of the interpreter that runs the program; the limits of rows and bytes follow."""
