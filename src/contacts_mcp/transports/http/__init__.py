"""Serving a team over the network: within which limits, over which HTTP transport; who may call is in `access`."""

from contacts_mcp.transports.http._app import Limits, http_app
from contacts_mcp.transports.http._health import ReadinessCheck
from contacts_mcp.transports.http._patience import Patient
from contacts_mcp.transports.http._serve import listen, run

__all__ = ["Limits", "Patient", "ReadinessCheck", "http_app", "listen", "run"]
