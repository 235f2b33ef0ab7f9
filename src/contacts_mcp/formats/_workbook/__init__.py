"""A separate program: reads a workbook from standard input, writes the first sheet that is not empty as CSV.

A workbook of a few kilobytes can describe gigabytes of cells, which must not end the server. xlsx and ods are read as a
stream, within limits. Older formats are left to a library, which allocates every cell up to the farthest one, and
aborts its process if memory runs out.

Of the package `contacts_mcp` the program imports only `operating_system`, which imports nothing else: the others take
longer to import than most workbooks to read.
"""

from pathlib import Path

TOO_LARGE = 3
"""Exit status if memory, time or the given limits do not suffice."""
DAMAGED = 4

_FORMATS = Path(__file__).parent.parent
_PROGRAM = "import sys; sys.path[:] = [sys.argv[1], *sys.path, sys.argv[2]]; import _workbook.__main__"
ARGUMENTS = ("-I", "-c", _PROGRAM, str(_FORMATS), str(_FORMATS.parent.parent))
"""The arguments of the interpreter that runs the program; the limits of rows and bytes follow."""
