"""Results as the model reads them: an answer, a preview, or one line about what went wrong."""

from typing import Literal

from mcp_types import CallToolResult, ResourceLink, TextContent
from pydantic import BaseModel

from contacts_mcp.guard import Preview
from contacts_mcp.server._trail import CURRENT_REQUEST_ID
from contacts_mcp.text import sanitize
from contacts_mcp.tools import FileAnswer, render

REQUEST_ID_META = "services.wayscloud/request-id"
"""Where in a result's `_meta` the id stands by which the operator finds the request in the log."""
_ERROR_LIMIT = 1_000


class PreviewAnswer(BaseModel):
    """What a two-step call answers first: nothing was done yet."""

    status: Literal["not done yet: show the question to the person, and call again only on their yes"]
    question: str
    confirmation_token: str
    expires_in_seconds: int


def answered(answer: BaseModel) -> CallToolResult:
    data, text = render(answer)
    link = [_link(answer)] if isinstance(answer, FileAnswer) and answer.uri else []
    return CallToolResult(content=[TextContent(type="text", text=text), *link], structured_content=data)


def _link(answer: FileAnswer) -> ResourceLink:
    return ResourceLink(
        type="resource_link",
        uri=answer.uri or "",
        name=answer.file or "export",
        mime_type=answer.mime_type,
        size=answer.bytes,
    )


def previewed(preview: Preview) -> CallToolResult:
    return answered(
        PreviewAnswer(
            status="not done yet: show the question to the person, and call again only on their yes",
            question=preview.message,
            confirmation_token=preview.token,
            expires_in_seconds=int(preview.lifetime_seconds),
        )
    )


def failed(line: str) -> CallToolResult:
    """One line, whatever found its way into it; over a network with the request's id beside it."""
    request = CURRENT_REQUEST_ID.get()
    return CallToolResult(
        content=[TextContent(type="text", text=one_line(line))],
        is_error=True,
        _meta={REQUEST_ID_META: request} if request else None,
    )


def one_line(line: str) -> str:
    """A line that is one, and no longer than a line should be."""
    return " ".join(sanitize(line, _ERROR_LIMIT).split())


def internal_error(what: str, advice: str = "read the record back, and") -> str:
    """The line for a fault of our own: nothing of what it was about, but over a network how to find it."""
    request = CURRENT_REQUEST_ID.get()
    which = f" the request id {request}" if request else ""
    return f"internal_error: {what} failed here; {advice} tell the operator{which}"
