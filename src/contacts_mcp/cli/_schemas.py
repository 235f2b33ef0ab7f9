"""`contacts-mcp schemas`."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from contacts_mcp.tools import TOOLS, export_files


def write_schemas(folder: Path) -> int:
    """Write the export whole, file by file; the number of files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = export_files(TOOLS)
    for name, text in files.items():
        _write_whole(folder / name, text)
    return len(files)


def _write_whole(path: Path, text: str) -> None:
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8") as draft:
        draft.write(text)
    os.chmod(draft.name, 0o644)  # noqa: PTH101 - a temporary file is private, a schema is not
    os.replace(draft.name, path)  # noqa: PTH105
