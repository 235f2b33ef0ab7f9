"""Which trail a command is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from contacts_mcp.settings import load_settings

File = Annotated[
    Path | None, typer.Option(help="The file that is written to; else that of CONTACTS_MCP_AUDIT, else this user's.")
]


def file_of(given: Path | None) -> Path:
    """The file that was given, else the one that a server started here would write to."""
    from contacts_mcp.app import trail_file

    return given if given is not None else trail_file(load_settings())


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in one line of a trail that it cannot be read. Raises ValueError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except FileNotFoundError as exc:
        raise ValueError(f"there is no audit trail at {path}; name its file by --file or CONTACTS_MCP_AUDIT") from exc
    except OSError as exc:
        raise ValueError(
            f"the audit trail {path} cannot be read: {exc.strerror}; check the file and who may read it"
        ) from exc
