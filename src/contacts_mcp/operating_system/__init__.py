"""All that differs between POSIX and Windows: locks, opening files, owners, signals, limits, pipes and terminals.

Each module has both variants side by side, so that they can be compared. What exists only on POSIX does nothing on
Windows if nothing depends on it, as a signal that is never sent; otherwise the caller gets an error that says so.
"""

from contacts_mcp.operating_system._files import open_file, publish, read_at, sync_folder
from contacts_mcp.operating_system._locks import lock, try_lock, try_lock_number
from contacts_mcp.operating_system._names import HiddenFile, InvalidName, split_name
from contacts_mcp.operating_system._open_folder import OpenFolder
from contacts_mcp.operating_system._owners import (
    is_own_file,
    keep_owner,
    make_folder,
    make_folders,
    make_private,
    may_others_read,
    user_id,
    user_label,
)
from contacts_mcp.operating_system._pipes import PipeReader, PipeWriter, wait_until_writable
from contacts_mcp.operating_system._process import (
    HAS_WORKERS,
    STOP_SIGNALS,
    child_environment,
    data_folder,
    forbid_core_dumps,
    handle_hangup,
    handle_hangup_in_loop,
    limit_process,
    path_of_descriptor,
    raise_descriptor_limit,
    run_in_forks,
)
from contacts_mcp.operating_system._terminal import discard_typed, open_terminal, use_utf_8

__all__ = [
    "HAS_WORKERS",
    "STOP_SIGNALS",
    "HiddenFile",
    "InvalidName",
    "OpenFolder",
    "PipeReader",
    "PipeWriter",
    "child_environment",
    "data_folder",
    "discard_typed",
    "forbid_core_dumps",
    "handle_hangup",
    "handle_hangup_in_loop",
    "is_own_file",
    "keep_owner",
    "limit_process",
    "lock",
    "make_folder",
    "make_folders",
    "make_private",
    "may_others_read",
    "open_file",
    "open_terminal",
    "path_of_descriptor",
    "publish",
    "raise_descriptor_limit",
    "read_at",
    "run_in_forks",
    "split_name",
    "sync_folder",
    "try_lock",
    "try_lock_number",
    "use_utf_8",
    "user_id",
    "user_label",
    "wait_until_writable",
]
