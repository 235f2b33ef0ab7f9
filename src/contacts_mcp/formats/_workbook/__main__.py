"""Converts standard input within limits of memory and time; the last arguments limit rows and bytes."""

import resource
import sys
from contextlib import suppress

from ._convert import convert

_MEMORY_LIMIT_BYTES = 384 * 1024**2
"""The library needs most of it for an xls file of 65,536 rows; xlsx and ods take far less."""
_CPU_LIMIT_SECONDS = 60

for _kind, _limit in ((resource.RLIMIT_AS, _MEMORY_LIMIT_BYTES), (resource.RLIMIT_CPU, _CPU_LIMIT_SECONDS)):
    with suppress(ValueError, OSError):  # a lower limit is set already, or the system has none
        resource.setrlimit(_kind, (_limit, _limit))
sys.exit(convert(sys.stdin.buffer.read(), sys.stdout.buffer, *map(int, sys.argv[2:])))
