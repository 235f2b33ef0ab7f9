"""Log messages to the client: one for each call that failed, to those who asked for them."""

from typing import Any, get_args

from mcp.server.lowlevel import Server
from mcp_types import (
    LOG_LEVEL_META_KEY,
    CallToolResult,
    EmptyResult,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    SetLevelRequestParams,
    TextContent,
)

from contacts_mcp.server._caller import request_id_of
from contacts_mcp.server._connection import connection_of
from contacts_mcp.server._elicitation import Context, is_modern

_KEY = "contacts_mcp.log_level"
_LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)
"""The least severe first."""


def register(server: Server[Any]) -> None:
    """Have `server` take the level of a session; the constructor's argument for it warns that it is deprecated."""
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, _set_level)


async def _set_level(ctx: Context, params: SetLevelRequestParams) -> EmptyResult:
    """A legacy session wants messages from this level on."""
    connection_of(ctx).state[_KEY] = params.level
    return EmptyResult()


async def log_failure(ctx: Context, result: CallToolResult) -> None:
    """Send the line that the model reads, with the id by which the operator finds the call."""
    line = "".join(block.text for block in result.content if isinstance(block, TextContent))
    level: LoggingLevel = "error" if line.startswith("internal_error") else "warning"
    if not _wanted(ctx, level):
        return
    message = LoggingMessageNotification(
        params=LoggingMessageNotificationParams(
            level=level, logger="contacts", data={"message": line, "request": request_id_of(ctx)}
        )
    )
    # Not `send_log_message`: it warns that it is deprecated, and so it is, in one of the two eras.
    await ctx.session.send_notification(message, related_request_id=ctx.request_id)


def _wanted(ctx: Context, level: LoggingLevel) -> bool:
    """Whether the session (legacy) or the request (modern) asked for this level."""
    asked = (ctx.meta or {}).get(LOG_LEVEL_META_KEY) if is_modern(ctx) else connection_of(ctx).state.get(_KEY)
    return asked in _LEVELS and _LEVELS.index(level) >= _LEVELS.index(asked)
