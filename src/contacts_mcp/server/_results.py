"""Results as the model reads them: an answer, a preview, or one line about what went wrong."""

from typing import Literal

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel

from contacts_mcp.guard import ANSWER_LIFETIME, Preview
from contacts_mcp.text import neutralise
from contacts_mcp.tools import render

_ERROR_LIMIT = 1_000


class PreviewAnswer(BaseModel):
    """What a two-step call answers first: nothing was done yet."""

    status: Literal["not done yet: show the question to the person, and call again only on their yes"]
    question: str
    confirmation_token: str
    expires_in_seconds: int


def answered(answer: BaseModel) -> CallToolResult:
    data, text = render(answer)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=data)


def previewed(preview: Preview) -> CallToolResult:
    return answered(
        PreviewAnswer(
            status="not done yet: show the question to the person, and call again only on their yes",
            question=preview.message,
            confirmation_token=preview.token,
            expires_in_seconds=int(ANSWER_LIFETIME),
        )
    )


def failed(line: str) -> CallToolResult:
    """One line, whatever found its way into it."""
    text = " ".join(neutralise(line, _ERROR_LIMIT).split())
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
