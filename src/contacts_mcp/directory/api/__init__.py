"""The Contacts API over HTTP."""

from contacts_mcp.directory.api._app import ROUTERS, build_app, render_refusal
from contacts_mcp.directory.api._in_process import InProcessApi
from contacts_mcp.directory.api._requests import TENANT_SCOPE_KEY, ContactType, Tenant
from contacts_mcp.directory.api._responses import RESPONSE_MODELS

__all__ = [
    "RESPONSE_MODELS",
    "ROUTERS",
    "TENANT_SCOPE_KEY",
    "ContactType",
    "InProcessApi",
    "Tenant",
    "build_app",
    "render_refusal",
]
