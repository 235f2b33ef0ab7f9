"""The suite's prompts and resources."""

import json
import re

from mcp.server.context import ServerRequestContext as Context
from mcp_types import (
    BlobResourceContents,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

from conformance.content_tools import PNG, embedded, picture
from conformance.returning_tools import asked, field, given

_ARGUMENTS = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}
PROMPTS = [
    Prompt(
        name=name,
        description=f"The suite's {name}.",
        arguments=[PromptArgument(name=argument, required=True) for argument in arguments],
    )
    for name, arguments in _ARGUMENTS.items()
]
RESOURCES = [
    Resource(uri="test://static-text", name="static-text", description="A text.", mime_type="text/plain"),
    Resource(uri="test://static-binary", name="static-binary", description="A picture.", mime_type="image/png"),
    Resource(uri="test://watched-resource", name="watched-resource", description="A text.", mime_type="text/plain"),
]
TEMPLATES = [
    ResourceTemplate(uri_template="test://template/{id}/data", name="data", mime_type="application/json"),
]
_TEMPLATE = re.compile(r"test://template/([^/]+)/data")


async def prompt(ctx: Context, params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    """One of the suite's prompts."""
    arguments = params.arguments or {}
    match params.name:
        case "test_prompt_with_arguments":
            said = ", ".join(f"{name}='{arguments[name]}'" for name in _ARGUMENTS[params.name])
            return _messages(f"Prompt with arguments: {said}")
        case "test_prompt_with_embedded_resource":
            resource = embedded(arguments["resourceUri"], "Embedded resource content for testing.")
            return _messages(resource, "Please process the embedded resource above.")
        case "test_prompt_with_image":
            return _messages(picture(), "Please analyze the image above.")
        case "test_input_required_result_prompt":
            answer = given(params, "user_context")
            if answer is None:
                return asked(ctx, user_context=field("What context should the prompt use?", "context"))
            return _messages(f"Use this context: {answer['context']}")
        case _:
            return _messages("This is a simple prompt for testing.")


def resource(uri: str) -> ReadResourceResult | None:
    """One of the suite's resources; None for every other address."""
    if uri == "test://static-binary":
        return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)])
    if uri in ("test://static-text", "test://watched-resource"):
        return _text(uri, "text/plain", "This is the content of the static text resource.")
    if found := _TEMPLATE.fullmatch(uri):
        data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
        return _text(uri, "application/json", json.dumps(data))
    return None


def _messages(*blocks: object) -> GetPromptResult:
    content = [TextContent(type="text", text=block) if isinstance(block, str) else block for block in blocks]
    return GetPromptResult(messages=[PromptMessage(role="user", content=block) for block in content])


def _text(uri: str, mime_type: str, text: str) -> ReadResourceResult:
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=mime_type, text=text)])
