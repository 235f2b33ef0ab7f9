"""The trail among the log lines on standard error."""

import logging

from contacts_mcp.audit._record import Record
from contacts_mcp.audit._trail import Unwritable
from contacts_mcp.log_fields import LogFields

_trail = logging.getLogger("contacts_mcp.trail")


class LogLines:
    """Records as lines of the logger `contacts_mcp.trail`; for good is as good as whoever reads them."""

    async def take(self, record: Record, *, durable: bool) -> None:  # noqa: ARG002 - a line is written at once
        """See trail.Listener."""
        try:
            _trail.info(LogFields(record))
        except (OSError, ValueError) as exc:  # a handler that cares lets them through
            raise Unwritable(getattr(exc, "strerror", None) or "it is closed") from exc

    async def probe(self) -> None:
        """See trail.Listener. There is no telling but by writing."""

    @property
    def holds_back(self) -> bool:
        """See trail.Listener."""
        return False

    def close(self) -> None:
        """See trail.Listener."""

    def __str__(self) -> str:
        return "standard error"
