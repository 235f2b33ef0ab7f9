"""Converts standard input within limits of memory and time; the last arguments limit rows and bytes."""

import sys

from contacts_mcp.operating_system import limit_process

from ._convert import convert

_MEMORY_LIMIT_BYTES = 384 * 1024**2
"""The library needs most of it for an xls file of 65,536 rows; xlsx and ods take far less."""
_CPU_LIMIT_SECONDS = 60

limit_process(_MEMORY_LIMIT_BYTES, _CPU_LIMIT_SECONDS)
sys.exit(convert(sys.stdin.buffer.read(), sys.stdout.buffer, *map(int, sys.argv[3:])))
