"""Find the hosts' files that mention this server, so that a fault in one of them can be found."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from contacts_mcp.install._hosts import INSTALL_HOSTS, Places

_MENTIONS = ("contacts-mcp", "contacts_mcp", "WAYSCLOUD_", "CONTACTS_MCP_")
_MAX_BYTES = 4 * 1024 * 1024


def find_host_files(places: Places, project: Path) -> list[str]:
    """Describe the hosts' files that mention this server, or if none does, all that exist on this machine."""
    found = list(_existing(places, project))
    return [each for each, mentions in found if mentions] or [each for each, _ in found]


def _existing(places: Places, project: Path) -> Iterator[tuple[str, bool]]:
    files = {project / host.project_file: host.title for host in INSTALL_HOSTS.values() if host.project_file}
    files |= {host.locate(places): host.title for host in INSTALL_HOSTS.values()}
    for path, title in files.items():
        with suppress(OSError):
            if path.is_file():
                yield f"{_shorten(path, places.home, project)} ({title})", _mentions_us(path)


def _shorten(path: Path, home: Path, project: Path) -> str:
    """Show a file of the user from their home folder, and one of a project as it is."""
    is_of_project = project != home and path.is_relative_to(project)
    return str(path) if is_of_project or not path.is_relative_to(home) else f"~/{path.relative_to(home).as_posix()}"


def _mentions_us(path: Path) -> bool:
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES).decode(errors="replace")
    return any(name in content for name in _MENTIONS)
