"""A Redis of a test's own, where one is installed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from processes import Child

_REDIS = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(_REDIS is None, reason="redis-server is not installed")


@contextmanager
def redis(port: int, *options: str) -> Iterator[Child]:
    """A Redis on a port of this machine, which begins and ends empty; `options` come on top of that."""
    assert _REDIS is not None
    with tempfile.TemporaryDirectory() as folder:
        where = ("--port", str(port), "--bind", "127.0.0.1", "--dir", folder)
        command = [_REDIS, *where, "--save", "", "--appendonly", "no", *options]
        with Child(Path(folder) / "log", command, "Ready to accept connections") as server:
            yield server
