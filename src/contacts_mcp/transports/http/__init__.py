"""Serving a team over the network: who may call, within which limits, over which HTTP transport."""

from contacts_mcp.transports.http._access import Access
from contacts_mcp.transports.http._app import Limits, http_app
from contacts_mcp.transports.http._keys import ByKey
from contacts_mcp.transports.http._issuer import Issuer
from contacts_mcp.transports.http._oauth import OAuth
from contacts_mcp.transports.http._open import Open
from contacts_mcp.transports.http._serve import listen, run

__all__ = ["Access", "ByKey", "Issuer", "Limits", "OAuth", "Open", "http_app", "listen", "run"]
