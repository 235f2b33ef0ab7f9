"""The log on standard error, as text or JSON, one line per message."""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

from contacts_mcp import __version__
from contacts_mcp.app._output import unblock_stderr
from contacts_mcp.log_fields import LogFields
from contacts_mcp.middleware import CURRENT_REQUEST_ID
from contacts_mcp.settings import Settings
from contacts_mcp.text import escape_invisible

_PACKAGE = "contacts_mcp"
_START = "contacts_mcp.start"
_TRAIL = "contacts_mcp.trail"
_MIN_LEVELS = {
    "httpx": logging.WARNING,  # logs addresses at INFO
    "mcp": logging.WARNING,  # logs session ids at INFO
    "mcp.server.sse": logging.ERROR,  # logs queries at WARNING
    "mcp.server.transport_security": logging.ERROR,  # logs headers at WARNING
    "urllib3": logging.ERROR,  # logs addresses at WARNING
}
_SERVERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


def configure_logging(settings: Settings, default: str) -> None:
    """Log to standard error, which then never blocks, one line per message; the audit trail is logged at every level.

    Only this package logs at DEBUG: others log their input there, down to the parameters of SQL statements.
    """
    unblock_stderr()
    handler = _StandardError(sys.stderr)
    handler.setFormatter(_Json() if (settings.log_format or default) == "json" else _OneLine())
    level = logging.getLevelNamesMapping()[settings.log_level]
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger(_PACKAGE).setLevel(level)
    for name in (_TRAIL, _START):
        logging.getLogger(name).setLevel(logging.INFO)
    for name, min_level in _MIN_LEVELS.items():
        logging.getLogger(name).setLevel(max(level, min_level))
    _take_over_from_server()


def _take_over_from_server() -> None:
    """Send the ASGI server's log to our handler. Its access log shows queries, so ours replaces it."""
    for name in _SERVERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.getLogger("uvicorn.access").disabled = True


def announce(summary: str) -> None:
    """Write the first line on standard error, which names the backend, at every log level."""
    line = f"contacts-mcp {__version__}: {summary}"
    if isinstance(logging.getLogger().handlers[0].formatter, _Json):
        logging.getLogger(_START).info(line)
    else:
        with suppress(OSError):  # nobody reads it
            sys.stderr.write(f"{escape_invisible(line)}\n")


class _StandardError(logging.StreamHandler[TextIO]):
    """Standard error. A failed write of the audit trail raises, because the trail has to notice; others are counted."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if record.name == _TRAIL:
            raise  # noqa: PLE0704 - logging calls this while it handles the exception


class _OneLine(logging.Formatter):
    """A record as one line of text; an exception by type and location, as its message may contain personal data."""

    def format(self, record: logging.LogRecord) -> str:
        request = CURRENT_REQUEST_ID.get()
        request_id = f" [{request}]" if request and not isinstance(record.msg, LogFields) else ""
        fault = "".join(f" ({name} at {location})" for name, location in _fault(record))
        return escape_invisible(f"{record.levelname} {record.name}{request_id}: {_message(record)}{fault}")


class _Json(logging.Formatter):
    """A record as one JSON object: time, level, logger, the request's id if any, and the message or its fields."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": time.replace("+00:00", "Z"), "level": record.levelname, "logger": record.name}
        if request := CURRENT_REQUEST_ID.get():
            fields["request"] = request
        content = record.msg if isinstance(record.msg, LogFields) else {"message": _message(record)}
        fault = {key: value for found in _fault(record) for key, value in zip(("fault", "at"), found, strict=True)}
        return json.dumps({**fields, **content, **fault})


def _message(record: logging.LogRecord) -> str:
    """Return the first line of a message: asyncio and others print the failed object on the next ones."""
    try:
        lines = record.getMessage().splitlines() or [""]
    except (TypeError, ValueError):  # logging would print the arguments
        return str(record.msg)
    line = lines[-1].split(":")[0] if lines[0].startswith("Traceback") else lines[0]
    return " ".join(line.split())


def _fault(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """Yield type and location of a record's exception, if it has one."""
    if record.exc_info and record.exc_info[0]:
        frames = traceback.extract_tb(record.exc_info[2])
        yield record.exc_info[0].__name__, f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
