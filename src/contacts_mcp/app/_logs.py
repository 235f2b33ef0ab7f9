"""What goes to standard error, and how it looks."""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TextIO

from contacts_mcp import __version__
from contacts_mcp.log_fields import LogFields
from contacts_mcp.middleware import CURRENT_REQUEST_ID
from contacts_mcp.settings import Settings

_OURS = "contacts_mcp"
_START = "contacts_mcp.start"
_TRAIL = "contacts_mcp.trail"
_ALWAYS = (_TRAIL, _START)
_QUIET = {
    "mcp": logging.WARNING,  # at INFO it names sessions
    "mcp.server.sse": logging.ERROR,  # at WARNING it quotes queries,
    "mcp.server.transport_security": logging.ERROR,  # and headers
    "urllib3": logging.ERROR,  # at WARNING it quotes addresses
}
_SERVERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


def configure_logging(settings: Settings, default: str) -> None:
    """Log to standard error, one line each; the trail of changes whatever the level.

    At DEBUG only this package is heard: others quote their input there, down to the parameters of a database.
    """
    handler = _StandardError(sys.stderr)
    handler.setFormatter(_Json() if (settings.log_format or default) == "json" else _OneLine())
    level = logging.getLevelNamesMapping()[settings.log_level]
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger(_OURS).setLevel(level)
    for name in _ALWAYS:
        logging.getLogger(name).setLevel(logging.INFO)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, least))
    _take_over_from_server()


def _take_over_from_server() -> None:
    """Let the ASGI server's loggers go through ours; its access log shows queries, and is replaced by our own."""
    for name in _SERVERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.getLogger("uvicorn.access").disabled = True


def announce(summary: str) -> None:
    """The first line on standard error: which backend it is. It is there whatever the level."""
    line = f"contacts-mcp {__version__}: {summary}"
    if isinstance(logging.getLogger().handlers[0].formatter, _Json):
        logging.getLogger(_START).info(line)
    else:
        sys.stderr.write(f"{line}\n")


class _StandardError(logging.StreamHandler[TextIO]):
    """Standard error, which the trail has to know to be written to."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if record.name == _TRAIL:
            raise  # noqa: PLE0704 - it is called where the exception is at hand
        super().handleError(record)


class _OneLine(logging.Formatter):
    """A record on one line; of an exception only type and place, since its text may hold somebody's data."""

    def format(self, record: logging.LogRecord) -> str:
        request = CURRENT_REQUEST_ID.get()
        which = f" [{request}]" if request and not isinstance(record.msg, LogFields) else ""
        fault = "".join(f" ({name} at {where})" for name, where in _fault(record))
        return f"{record.levelname} {record.name}{which}: {_message(record)}{fault}"


class _Json(logging.Formatter):
    """A record as one JSON object: time, level, logger, request where one is served, and the message or its fields."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": time.replace("+00:00", "Z"), "level": record.levelname, "logger": record.name}
        if request := CURRENT_REQUEST_ID.get():
            fields["request"] = request
        told = record.msg if isinstance(record.msg, LogFields) else {"message": _message(record)}
        fault = {key: value for found in _fault(record) for key, value in zip(("fault", "at"), found, strict=True)}
        return json.dumps({**fields, **told, **fault})


def _message(record: logging.LogRecord) -> str:
    """The first line of a message: asyncio and others quote the object that failed on the next ones."""
    try:
        lines = record.getMessage().splitlines() or [""]
    except (TypeError, ValueError):  # logging itself would print the arguments
        return str(record.msg)
    said = lines[-1].split(":")[0] if lines[0].startswith("Traceback") else lines[0]
    return " ".join(said.split())


def _fault(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    """Type and place of the exception that a record is about, if there is one."""
    if record.exc_info and record.exc_info[0]:
        frames = traceback.extract_tb(record.exc_info[2])
        yield record.exc_info[0].__name__, f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
