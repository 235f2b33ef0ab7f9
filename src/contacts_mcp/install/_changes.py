"""What an installation changes in a host's file: computed and shown first, written afterwards."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contacts_mcp.install._files import Backups, HostFile, read_file, require_writable, write_file
from contacts_mcp.install._formats import drop_entry, put_entry, read_entries
from contacts_mcp.install._hosts import ENTRY_FIELDS, INSTALL_HOSTS, InstallHost, Launch, Places, read_launch
from contacts_mcp.install._launch import starts_this_server
from contacts_mcp.install._text import InvalidHostFile

_SECRET = re.compile(
    r"""((?:key|token|secret|password|authorization|bearer)[^"'\s:=]*["']?\s*[:=]\s*["']?)[^"'\s,}]+""", re.IGNORECASE
)
_KEY = re.compile(r"wayscloud_[a-z]{2,8}_[^\s\"'<>,;]+")


class ForeignEntry(InvalidHostFile):
    """An entry of the wanted name starts another program."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a host's file. Nothing is written before `apply`.

    Attributes:
        entry: the name of the entry.
        after: the file's new content; None if the file is removed.
        without: what removing all entries of this program from the new content leaves.
    """

    host: str
    entry: str
    file: HostFile
    after: bytes | None
    without: bytes
    is_first: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the file is already as wanted."""
        return self.file.content == self.after

    def lines(self) -> Iterator[str]:
        """Yield the lines that go and that come, with the values of secrets hidden."""
        before, after = _lines(self.file.content), _lines(self.after)
        start = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
        start = min(len(before), len(after)) if start is None else start
        end = 0
        while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
            end += 1
        yield f"line {start + 1}:"
        for sign, lines in (("-", before), ("+", after)):
            for line in lines[start : len(lines) - end]:
                yield f"{sign} {hide_secrets(line)}"

    def apply(self, backups: Backups) -> Path | None:
        """Keep a copy of the file and write it; return the copy. Raises InvalidHostFile and OSError."""
        copy = backups.keep(self.host, self.file)
        if self.is_first:
            backups.note_original(self.file, copy, self.without)
        write_file(self.file, self.after)
        return copy


def hide_secrets(line: str) -> str:
    """Return a line of a host's file without the values of keys and passwords."""
    return _KEY.sub("…", _SECRET.sub(r"\1…", line))


def read_host_entries(host: InstallHost, places: Places) -> dict[str, Any]:
    """Return the entries of a host's file. Raises InvalidHostFile, which names the file, and OSError."""
    file = read_file(host.locate(places))
    with _naming(file.path):
        return read_entries(host.file_format, file.text, host.section)


def find_launch(host: InstallHost, places: Places, name: str) -> Launch | None:
    """Return how the entry of a name starts this program; None if there is none. Raises as read_host_entries."""
    launch = read_launch(read_host_entries(host, places).get(name))
    return launch if starts_this_server(launch) else None


def plan_install(host_name: str, places: Places, name: str, launch: Launch, *, replace: bool = False) -> Change:
    """Compute how a host's file changes if an entry is put into it.

    Fields that a person added to the entry stay. Raises InvalidHostFile, which names the file, and ForeignEntry if an
    entry of this name starts another program, unless `replace`; also OSError.
    """
    host, file = INSTALL_HOSTS[host_name], read_file(INSTALL_HOSTS[host_name].locate(places))
    with _naming(file.path):
        text = file.text
        entries = read_entries(host.file_format, text, host.section)
        old = entries.get(name)
        if old is not None and not replace and not starts_this_server(read_launch(old)):
            raise ForeignEntry(f'its entry "{name}" starts another program')
        kept = old if isinstance(old, dict) and starts_this_server(read_launch(old)) else {}
        entry = host.shape(name, launch)
        entry |= {key: value for key, value in kept.items() if key not in {*ENTRY_FIELDS, *entry}}
        after = text if old == entry else put_entry(host.file_format, text, host.section, name, entry)
        if after != text:
            require_writable(file)
        without = file.encode(_drop_all(host, after))
        is_first = not any(starts_this_server(read_launch(each)) for each in entries.values())
    content = file.content if after == text else file.encode(after)
    return Change(host_name, name, file, content, without, is_first)


def plan_uninstall(host_name: str, places: Places, name: str, backups: Backups, *, replace: bool = False) -> Change:
    """Compute how a host's file changes if an entry is removed from it; see plan_install."""
    host, file = INSTALL_HOSTS[host_name], read_file(INSTALL_HOSTS[host_name].locate(places))
    with _naming(file.path):
        text = file.text
        entries = read_entries(host.file_format, text, host.section)
        if name not in entries:
            return Change(host_name, name, file, file.content, b"")
        if not replace and not starts_this_server(read_launch(entries[name])):
            raise ForeignEntry(f'its entry "{name}" starts another program')
        after = drop_entry(host.file_format, text, host.section, name)
        require_writable(file)
    content = file.encode(after)
    original = backups.find_original(file, content)
    return Change(host_name, name, file, original.content if original else content, content)


def _drop_all(host: InstallHost, text: str) -> str:
    """Return a text without all entries that start this program."""
    for name, entry in read_entries(host.file_format, text, host.section).items():
        if starts_this_server(read_launch(entry)):
            text = drop_entry(host.file_format, text, host.section, name)
    return text


def _lines(content: bytes | None) -> list[str]:
    return (content or b"").decode(errors="replace").splitlines()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the path of a file before the message of an InvalidHostFile."""
    try:
        yield
    except InvalidHostFile as exc:
        raise type(exc)(f"{path}: {exc}") from None
