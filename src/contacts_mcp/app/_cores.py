"""No core files: a crash leaves nothing of what the process holds in memory, such as keys and contacts, on a disk."""

import resource
from contextlib import suppress
from pathlib import Path

_FILTER = Path("/proc/self/coredump_filter")
_NO_MEMORY = "0"


def forbid_core_dumps() -> None:
    """Have the kernel dump no core of this process, nor of those that it starts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # Linux alone has it; there the limit does not hold for dumps that go to a program
        _FILTER.write_text(_NO_MEMORY)
