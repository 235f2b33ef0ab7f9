"""What a caller over the network reads where the directory cannot be used."""

import logging

from fastapi.responses import JSONResponse

from contacts_mcp.directory._errors import DirectoryUnavailable

_log = logging.getLogger(__name__)


def unavailable(error: DirectoryUnavailable) -> JSONResponse:
    """503 or 507. Where the database is, and what to do about it, is for the operator to read, in the log."""
    _log.error("%s", error)
    return JSONResponse({"detail": "The directory cannot be used now, and nothing was changed"}, error.status)
