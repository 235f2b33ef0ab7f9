"""What the routes share: the way to the database, and how an answer is written."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.responses import JSONResponse

from contacts_mcp.directory._bodies import RecordId
from contacts_mcp.directory._database import Database


async def _database(request: Request) -> Database:  # async, or FastAPI would call it in a thread
    database: Database = request.app.state.database
    return database


InDatabase = Annotated[Database, Depends(_database)]
ContactId = Annotated[RecordId, Path()]
GroupId = Annotated[RecordId, Path()]


def answer(content: Any, status: int = 200) -> JSONResponse:
    """Write JSON as it is: rows come from the table in their final form and need no second validation."""
    return JSONResponse(content, status)
