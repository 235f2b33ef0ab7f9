"""A host of its own for a server, which can vanish from the network as a machine without power does."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

_NETWORK = f"10.213.{os.getpid() % 250}"  # of two namespaces on this machine; no packet leaves it
needs_namespaces = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("ip") is None, reason="only root, with the program `ip`, can make a network"
)


@dataclass(frozen=True)
class Host:
    """A network namespace with an address that this process can reach."""

    name: str
    address: str = f"{_NETWORK}.2"

    def command(self, command: Sequence[str], user: str | None) -> list[str]:
        """The command that runs another one on this host, as `user`."""
        group = pwd.getpwnam(user).pw_gid if user else None
        identity = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"] if user else []
        return ["ip", "netns", "exec", self.name, *identity, *command]

    def vanish(self) -> None:
        """Drop all packets from now on, without a word: a connection is neither refused nor reset."""
        _ip("-n", self.name, "address", "flush", "dev", "there")


@contextmanager
def new_host() -> Iterator[Host]:
    host, here = Host(f"contacts{os.getpid()}"), f"here{os.getpid()}"
    _ip("netns", "add", host.name)
    try:
        _ip("link", "add", here, "type", "veth", "peer", "name", "there", "netns", host.name)
        _ip("address", "add", f"{_NETWORK}.1/24", "dev", here)
        _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "there")
        for namespace, device in (((), here), (("-n", host.name), "there"), (("-n", host.name), "lo")):
            _ip(*namespace, "link", "set", device, "up")
        hardware = _ip("-n", host.name, "-o", "link", "show", "there").partition("link/ether ")[2].split()[0]
        # Without this, the kernel would report after three seconds that nobody answers for the address.
        _ip("neighbour", "replace", host.address, "lladdr", hardware, "dev", here, "nud", "permanent")
        yield host
    finally:
        _ip("netns", "delete", host.name)


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True, timeout=30).stdout
