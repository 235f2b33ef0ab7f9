"""The suite's tools that ask the client while the call waits, as the legacy era has it."""

import json
from typing import Any

from mcp.server.context import ServerRequestContext as Context
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    SamplingMessage,
    TextContent,
)

from conformance.content_tools import said

DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_PLAIN = ["option1", "option2", "option3"]
_TITLED = [{"const": f"value{number}", "title": f"Option {number}"} for number in (1, 2, 3)]
ENUMS = {
    "untitledSingle": {"type": "string", "enum": _PLAIN},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _PLAIN}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}


def form(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def sampling(prompt: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


async def test_sampling(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Has the client's model answer a prompt."""
    answer = await ctx.session.send_request(
        sampling((params.arguments or {})["prompt"]),
        CreateMessageResult,
        metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
    )
    return said(f"LLM response: {answer.content}")


async def test_elicitation(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Asks the person behind the client for a name and an address."""
    fields = {"username": {"type": "string"}, "email": {"type": "string"}}
    return await _ask(ctx, (params.arguments or {})["message"], form(fields, "username", "email"))


async def test_elicitation_sep1034_defaults(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Asks with a default in every field."""
    return await _ask(ctx, "Please review", form(DEFAULTS))


async def test_elicitation_sep1330_enums(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """Asks for choices of every kind."""
    return await _ask(ctx, "Please choose", form(ENUMS))


async def _ask(ctx: Context, message: str, schema: dict[str, Any]) -> CallToolResult:
    answer = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return said(f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}")


ASKING_TOOLS = (
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
)
