"""What a server over stdio records for its next start, which then answers before it is loaded."""

from pathlib import Path

from contacts_mcp.app._server import App
from contacts_mcp.client import credential_file
from contacts_mcp.quick_start import AnswerRecorder, begun
from contacts_mcp.settings import Settings


def record_answers(settings: Settings, app: App, home: Path) -> AnswerRecorder | None:
    """Return the recorder of this process, which takes over what was answered before; None if it has none."""
    start = begun()
    if start is None:
        return None

    def is_constant(method: str) -> bool:
        """Whether an answer depends on the settings only: some services say themselves which tools a key allows."""
        return settings.quick_start and not (method == "tools/list" and app.connection.tells_scopes)

    files = [str(path.absolute()) for path in (settings.locate_config(), credential_file(home))]
    return AnswerRecorder(start, files, is_constant)
