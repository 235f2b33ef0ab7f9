"""The first answers of a server over stdio, from a snapshot on disk, while the server is still imported.

An earlier start has written the snapshot. `begin` starts a thread that answers from it what a host asks first; when the
server is ready it takes over what was read, and repeats it to itself. Whatever the snapshot does not have waits for the
server. Only light modules are imported here, because the first answer waits for them.
"""

from contacts_mcp.quick_start._begin import begin, begun
from contacts_mcp.quick_start._front import Handover
from contacts_mcp.quick_start._snapshot import count_snapshots, snapshot_folder

TYPE_CHECKING = False  # `typing` is heavy
if TYPE_CHECKING:
    from contacts_mcp.quick_start._recorder import AnswerRecorder

__all__ = ["AnswerRecorder", "Handover", "begin", "begun", "count_snapshots", "snapshot_folder"]


def __getattr__(name: str) -> object:
    if name != "AnswerRecorder":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from contacts_mcp.quick_start._recorder import AnswerRecorder

    return AnswerRecorder
