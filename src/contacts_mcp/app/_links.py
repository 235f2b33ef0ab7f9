"""The folder of the files that callers of a network server send and fetch by link."""

from contacts_mcp.app._backends import Embedded, Platform
from contacts_mcp.app._shared_state import identify
from contacts_mcp.directory import default_path
from contacts_mcp.file_links import FileLinks
from contacts_mcp.settings import Settings, env_name

_FOLDER = "file-links"


def choose_links(settings: Settings, backend: Platform | Embedded) -> FileLinks | None:
    """Return the links of a server; None if it only reads, or its replicas may not share a folder.

    Nothing is created before the server starts. The folder is a new one below the configured one, because it is made
    private.
    """
    if settings.read_only or links_warning(settings):
        return None
    folder = settings.links.expanduser() if settings.links else default_path().parent
    return FileLinks(folder / _FOLDER, identify(backend))


def links_warning(settings: Settings) -> str:
    """Return a warning if a link of one replica would be unknown to the others."""
    if settings.state_keys and settings.links is None and not settings.read_only:
        return f"no upload and download links: set {env_name('links')} to a folder that all replicas share"
    return ""
