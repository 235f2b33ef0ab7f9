"""The suite's tools that answer in other kinds of content than the catalog knows, or write to the client's log."""

import base64
import io
import wave

import anyio
from mcp.server.context import ServerRequestContext as Context
from mcp_types import (
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
"""One red pixel."""
_PAUSE = 0.05


def said(*blocks: ContentBlock | str) -> CallToolResult:
    content = [TextContent(type="text", text=block) if isinstance(block, str) else block for block in blocks]
    return CallToolResult(content=content)


def picture() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


async def test_image_content(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Answers with a picture."""
    return said(picture())


async def test_audio_content(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Answers with a sound."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 1, 8000, 1, "NONE", ""))
        sound.writeframes(b"\x80")
    data = base64.b64encode(file.getvalue()).decode()
    return said(AudioContent(type="audio", data=data, mime_type="audio/wav"))


async def test_embedded_resource(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Answers with a resource."""
    return said(embedded("test://embedded-resource", "This is an embedded resource content."))


async def test_multiple_content_types(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Answers in text, with a picture and with a resource."""
    resource = embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
    return said("Multiple content types test:", picture(), resource)


async def test_tool_with_logging(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Writes three lines to the client's log."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", line, related_request_id=ctx.request_id)
        await anyio.sleep(_PAUSE)
    return said("Logged.")


async def test_logging_tool(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Writes to the client's log, which the modern era has to ask for."""
    return await test_tool_with_logging(ctx, params)


CONTENT_TOOLS = (
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_tool_with_logging,
    test_logging_tool,
)
