"""The panel: one page with a view for each job, which a host shows in the chat (MCP Apps) and the console in a browser.

`ui/` has its source; `panel.html` is built from it.
"""

from importlib.resources import files

EXTENSION = "io.modelcontextprotocol/ui"
"""The protocol extension with which a host declares the MIME types of the panels it shows."""
MIME_TYPE = "text/html;profile=mcp-app"
VIEWS = frozenset({"contacts", "plan", "duplicates", "audience", "consent"})
"""The views for hosts."""
_PLACE = 'data-view=""'


def read_view(view: str) -> str:
    """Return the page with one of its views. Raises LookupError if there is no such view."""
    if view not in VIEWS:
        raise LookupError(view)
    page = files("contacts_mcp.panel").joinpath("panel.html").read_text("utf-8")
    return page.replace(_PLACE, f'data-view="{view}"', 1)
