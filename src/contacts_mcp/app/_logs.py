"""What goes to standard error, and how it looks."""

import json
import logging
import sys
from datetime import UTC, datetime

from contacts_mcp import __version__
from contacts_mcp.settings import Settings


def configure_logging(settings: Settings, default: str) -> None:
    """Log to standard error, one line each; the trail of changes whatever the level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if (settings.log_format or default) == "json" else _OneLine())
    level = settings.log_level
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("contacts_mcp.trail").setLevel(logging.INFO)
    quiet = max(logging.getLevelName(level), logging.INFO)  # at DEBUG they quote their input
    for name in ("mcp", "sse_starlette", "uvicorn"):
        logging.getLogger(name).setLevel(quiet)


def announce(summary: str) -> None:
    """The first line on standard error: which backend it is."""
    sys.stderr.write(f"contacts-mcp {__version__}: {summary}\n")


class _OneLine(logging.Formatter):
    """A record on one line; of an exception only its type, since its text and frames may hold somebody's data."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname} {record.name}: {_message(record)}"


class _Json(logging.Formatter):
    """A record as one JSON object; what is logged as JSON already, as the trail is, keeps its fields."""

    def format(self, record: logging.LogRecord) -> str:
        message = _message(record)
        fields = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
        }
        try:
            told = json.loads(message)
        except ValueError:
            told = None
        return json.dumps({**fields, **(told if isinstance(told, dict) else {"message": message})})


def _message(record: logging.LogRecord) -> str:
    fault = f" ({record.exc_info[0].__name__})" if record.exc_info and record.exc_info[0] else ""
    return " ".join(record.getMessage().split()) + fault
