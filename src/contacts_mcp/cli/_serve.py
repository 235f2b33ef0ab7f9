"""`contacts-mcp serve`."""

import gc
import logging
import sys
from pathlib import Path

import anyio
import typer

from contacts_mcp import __version__
from contacts_mcp.app import build_app, choose_backend
from contacts_mcp.settings import Settings
from contacts_mcp.transports.stdio import serve_stdio


class _OneLine(logging.Formatter):
    """A record on one line; of an exception only its type, since its text and frames may hold somebody's data."""

    def format(self, record: logging.LogRecord) -> str:
        line = " ".join(record.getMessage().split())
        fault = f" ({record.exc_info[0].__name__})" if record.exc_info and record.exc_info[0] else ""
        return f"{record.levelname} {record.name}: {line}{fault}"


def serve_host(settings: Settings) -> None:
    """Serve until the host is done; the first line on standard error says which backend it is."""
    app = build_app(settings, choose_backend(settings, Path.home()))
    configure_logging(settings.log_level)
    typer.echo(f"contacts-mcp {__version__}: {app.summary}", err=True)
    gc.freeze()  # what was imported stays
    gc.enable()
    anyio.run(serve_stdio, app.server)


def configure_logging(level: str) -> None:
    """Log to standard error, one line each; the trail of changes whatever the level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("contacts_mcp.trail").setLevel(logging.INFO)
    logging.getLogger("mcp").setLevel(max(logging.getLevelName(level), logging.INFO))  # at DEBUG it quotes its input
