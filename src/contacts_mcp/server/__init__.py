"""The MCP server: protocol handlers over the tools. It knows nothing about contacts."""

from contacts_mcp.server._approval_desk import ApprovalDesk, OpenQuestion, OutdatedApproval
from contacts_mcp.server._context import (
    ACTIVE_CALLS_SCOPE_KEY,
    APPROVALS_URL_SCOPE_KEY,
    CALLER_SCOPE_KEY,
    CONSOLE_SCOPE_KEY,
    FILES_URL_SCOPE_KEY,
    LOCAL_CALLER,
    ActiveCalls,
    BackendFactory,
    Caller,
    KeyRights,
    RequestContext,
    approvals_url_of,
    is_of_console,
)
from contacts_mcp.server._extra_tools import ExtraArguments, ExtraTool, ExtraTools
from contacts_mcp.server._recording import CallRecorder
from contacts_mcp.server._server import Lifespan, build_server
from contacts_mcp.server._subscriptions import Subscriptions
from contacts_mcp.server._ways import Ways

__all__ = [
    "ACTIVE_CALLS_SCOPE_KEY",
    "APPROVALS_URL_SCOPE_KEY",
    "CALLER_SCOPE_KEY",
    "CONSOLE_SCOPE_KEY",
    "FILES_URL_SCOPE_KEY",
    "LOCAL_CALLER",
    "ActiveCalls",
    "ApprovalDesk",
    "BackendFactory",
    "CallRecorder",
    "Caller",
    "ExtraArguments",
    "ExtraTool",
    "ExtraTools",
    "KeyRights",
    "Lifespan",
    "OpenQuestion",
    "OutdatedApproval",
    "RequestContext",
    "Subscriptions",
    "Ways",
    "approvals_url_of",
    "build_server",
    "is_of_console",
]
