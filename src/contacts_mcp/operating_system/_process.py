"""Signals, limits and forks of this process."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

if sys.platform == "win32":
    from contextlib import suppress
    from typing import Any

    import pywintypes
    import win32api
    import win32con
    import win32job

    _TICKS_PER_SECOND = 10_000_000

    STOP_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
    """Signals that end a server: Ctrl-C, and Ctrl-Break, which is the one that programs can send to others."""
    HAS_WORKERS = False
    """Whether several processes can serve one port. Here they cannot be told apart from the reloader's."""

    def handle_hangup(handle: Callable[[], None]) -> None:
        """Do nothing: there is no SIGHUP, so a server has to be restarted to read its keys again."""

    def handle_hangup_in_loop(handle: Callable[[], None]) -> None:
        """Do nothing, as `handle_hangup`."""

    def forbid_core_dumps() -> None:
        """Disable crash reports of this process, which may contain keys and contacts."""
        set_error_mode: Any = win32api.SetErrorMode
        set_error_mode(win32con.SEM_FAILCRITICALERRORS | win32con.SEM_NOGPFAULTERRORBOX)

    def limit_process(memory_bytes: int, cpu_seconds: int) -> None:
        """Limit the memory and the processor time of this process, as far as the system allows it."""
        jobs: Any = win32job  # its type stubs have no results
        with suppress(pywintypes.error):
            job = jobs.CreateJobObject(None, "")
            limits = jobs.QueryInformationJobObject(job, jobs.JobObjectExtendedLimitInformation)
            limits["ProcessMemoryLimit"] = memory_bytes
            limits["BasicLimitInformation"]["PerProcessUserTimeLimit"] = cpu_seconds * _TICKS_PER_SECOND
            limits["BasicLimitInformation"]["LimitFlags"] = (
                jobs.JOB_OBJECT_LIMIT_PROCESS_MEMORY | jobs.JOB_OBJECT_LIMIT_PROCESS_TIME
            )
            jobs.SetInformationJobObject(job, jobs.JobObjectExtendedLimitInformation, limits)
            jobs.AssignProcessToJobObject(job, win32api.GetCurrentProcess())
            job.Detach()  # the job lasts as long as the process

    def raise_descriptor_limit(wanted: int) -> int:
        """Return how many connections the process can have: sockets are not counted as descriptors here."""
        return wanted

    def run_in_forks(work: Callable[[], None]) -> None:
        """Do nothing: there are no forks."""

    def path_of_descriptor(descriptor: int) -> Path:
        """Raise OSError: only a server that gets SIGHUP has to know the path of its log."""
        raise OSError(f"the path of descriptor {descriptor} is not known")

    def data_folder(folder: str) -> dict[str, str]:
        """Return the variables with which another process of this program keeps its data in a folder."""
        return {"WIN_PD_OVERRIDE_LOCAL_APPDATA": folder}

    def child_environment() -> dict[str, str]:
        """Return the environment of a program of ours that needs none: without this variable Python does not start."""
        return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}

else:
    import fcntl
    import resource
    from contextlib import suppress

    STOP_SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)
    """Signals that end a server."""
    HAS_WORKERS = True
    """Whether several processes can serve one port."""

    _COREDUMP_FILTER = Path("/proc/self/coredump_filter")
    _MAX_PATH_BYTES = 1024

    def handle_hangup(handle: Callable[[], None]) -> None:
        """Run `handle` on SIGHUP, also while no event loop runs."""
        signal.signal(signal.SIGHUP, lambda _number, _frame: handle())

    def handle_hangup_in_loop(handle: Callable[[], None]) -> None:
        """Run `handle` on SIGHUP in the running event loop."""
        import asyncio

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, handle)

    def forbid_core_dumps() -> None:
        """Disable core dumps for this process and its children: they would contain keys and contacts."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # only on Linux, where the limit does not stop dumps that are piped to a program
            _COREDUMP_FILTER.write_text("0")  # no memory mappings

    def limit_process(memory_bytes: int, cpu_seconds: int) -> None:
        """Limit the memory and the processor time of this process, as far as the system allows it."""
        for kind, limit in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_seconds)):
            with suppress(ValueError, OSError):  # a lower limit is set already, or the system has none
                resource.setrlimit(kind, (limit, limit))

    def raise_descriptor_limit(wanted: int) -> int:
        """Take as many file descriptors as wanted and allowed, and return their number."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < wanted:
            soft = min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return soft

    def run_in_forks(work: Callable[[], None]) -> None:
        """Run `work` in each fork of this process, which has none of its threads."""
        os.register_at_fork(after_in_child=work)

    def path_of_descriptor(descriptor: int) -> Path:
        """Return the path with which a file was opened. Raises OSError if the system does not tell."""
        get_path = getattr(fcntl, "F_GETPATH", None)  # on macOS
        if get_path is not None:
            return Path(os.fsdecode(fcntl.fcntl(descriptor, get_path, bytes(_MAX_PATH_BYTES)).rstrip(b"\0")))
        return Path(f"/proc/self/fd/{descriptor}").readlink()

    def data_folder(folder: str) -> dict[str, str]:
        """Return the variables with which another process of this program keeps its data in a folder."""
        return {"XDG_DATA_HOME": folder}

    def child_environment() -> dict[str, str]:
        """Return the environment of a program of ours that needs none."""
        return {}
