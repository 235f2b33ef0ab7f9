"""What would make every test slower, done once for all tests of a process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import httpx._transports.default
import httpx2._transports.default

from contacts_mcp.directory.database._sqlite import prepare_file

_CLIENTS: tuple[ModuleType, ...] = (httpx._transports.default, httpx2._transports.default)


def load_certificates_once() -> None:
    """Let all HTTP clients share the certificate authorities: each loads them otherwise, which takes 40 ms."""
    for module in _CLIENTS:
        module.create_ssl_context = cache(module.create_ssl_context)  # type: ignore[attr-defined]


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Do not look for garbage while many objects are made that stay, nor among these later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def place_directory(path: Path) -> Path:
    """Copy an empty directory to `path`, unless there is one or no folder for it: creating its tables takes 12 ms."""
    if path.parent.is_dir() and not path.exists():
        path.touch(0o600, exist_ok=False)
        path.write_bytes(_empty_directory())
    return path


@cache
def _empty_directory() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "contacts.db"
        prepare_file(path)
        return path.read_bytes()
