"""The tools, prompts and resources that the official conformance suite expects of a fixture server.

The catalog tools are data and run through the server's own handlers. The others need the raw request, because they
return content that the catalog has no room for, ask the client while the call waits (legacy era) or ask by their result
(modern era).
"""

import base64
import io
import json
import os
import re
import wave
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext as Context
from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from pydantic import BaseModel

from contacts_mcp.contract import ContactsError
from contacts_mcp.tools import Backend, read_tool

Params = types.CallToolRequestParams | types.GetPromptRequestParams
ToolResult = types.CallToolResult | types.InputRequiredResult
RawTool = Callable[[Context, types.CallToolRequestParams], Awaitable[ToolResult]]

_PAUSE_SECONDS = 0.05
"""Seconds between two notifications, which the suite requires."""
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
"""One red pixel."""


class NoArguments(BaseModel, extra="forbid"):
    """No arguments."""


class TextAnswer(BaseModel):
    text: str


async def _simple_text(_backend: Backend, _arguments: NoArguments) -> TextAnswer:
    """Returns text."""
    return TextAnswer(text="This is a simple text response for testing.")


async def _error_handling(_backend: Backend, _arguments: NoArguments) -> TextAnswer:
    """Always fails."""
    raise ContactsError("This tool intentionally returns an error for testing")


async def _tool_with_progress(backend: Backend, _arguments: NoArguments) -> TextAnswer:
    """Reports progress."""
    assert backend.report
    for done in (0, 50, 100):
        await backend.report(done, 100, None)
        await anyio.sleep(_PAUSE_SECONDS)
    return TextAnswer(text="Done.")


CATALOG_TOOLS = tuple(
    read_tool(f"test{run.__name__}", NoArguments, TextAnswer, run)
    for run in (_simple_text, _error_handling, _tool_with_progress)
)


def result(*blocks: dict[str, Any] | str) -> types.CallToolResult:
    return types.CallToolResult.model_validate({"content": [_block(block) for block in blocks]})


def _block(block: dict[str, Any] | str) -> dict[str, Any]:
    return {"type": "text", "text": block} if isinstance(block, str) else block


def _embedded(uri: str, text: str, mime_type: str = "text/plain") -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": text}}


def _silence() -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 1, 8000, 1, "NONE", ""))
        sound.writeframes(b"\x80")
    return base64.b64encode(file.getvalue()).decode()


_IMAGE = {"type": "image", "data": _PNG, "mimeType": "image/png"}
_FIXED_RESULTS: dict[str, list[dict[str, Any] | str]] = {
    "test_image_content": [_IMAGE],
    "test_audio_content": [{"type": "audio", "data": _silence(), "mimeType": "audio/wav"}],
    "test_embedded_resource": [_embedded("test://embedded-resource", "This is an embedded resource content.")],
    "test_multiple_content_types": [
        "Multiple content types test:",
        _IMAGE,
        _embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
    ],
}


def _fixed(blocks: list[dict[str, Any] | str]) -> RawTool:
    async def run(_ctx: Context, _params: types.CallToolRequestParams) -> ToolResult:
        return result(*blocks)

    return run


async def _log_messages(ctx: Context, _params: types.CallToolRequestParams) -> ToolResult:
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", line, related_request_id=ctx.request_id)
        await anyio.sleep(_PAUSE_SECONDS)
    return result("Logged.")


# Legacy era: the tool asks while its call waits.

_CHOICES = ["option1", "option2", "option3"]
_TITLED_CHOICES = [{"const": f"value{number}", "title": f"Option {number}"} for number in (1, 2, 3)]
_DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_ENUMS = {
    "untitledSingle": {"type": "string", "enum": _CHOICES},
    "titledSingle": {"type": "string", "oneOf": _TITLED_CHOICES},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _CHOICES}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED_CHOICES}},
}
_STRING = {"type": "string"}


def _form(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _sampling(prompt: str) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=prompt))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=100))


async def _sample(ctx: Context, params: types.CallToolRequestParams) -> ToolResult:
    answer = await ctx.session.send_request(
        _sampling((params.arguments or {})["prompt"]),
        types.CreateMessageResult,
        metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
    )
    return result(f"LLM response: {answer.content}")


def _elicit(message: str | None, schema: dict[str, Any]) -> RawTool:
    async def run(ctx: Context, params: types.CallToolRequestParams) -> ToolResult:
        text = message or (params.arguments or {})["message"]
        answer = await ctx.session.elicit_form(text, schema, related_request_id=ctx.request_id)
        return result(f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}")

    return run


# Modern era: the tool asks by its result, and the answer comes with the next call.

_STATE = AESGCMRequestStateCodec([os.urandom(32)])
_CAPABILITIES = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}


def _field(message: str, name: str, kind: str = "string") -> types.ElicitRequest:
    return types.ElicitRequest(
        params=types.ElicitRequestFormParams(message=message, requested_schema=_form({name: {"type": kind}}, name))
    )


_NAME = _field("What is your name?", "name")
_GREETING = _sampling("Generate a greeting")


def _ask(ctx: Context, state: str | None = None, **requests: Any) -> types.InputRequiredResult:
    """Ask for everything that the client has declared a capability for."""
    client = ctx.session.client_capabilities
    possible = {key: each for key, each in requests.items() if getattr(client, _CAPABILITIES[each.method], None)}
    if not possible:
        needed = {"requiredCapabilities": {_CAPABILITIES[request.method]: {} for request in requests.values()}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "No capability to ask", needed)
    sealed = _STATE.seal(state.encode()) if state else None
    return types.InputRequiredResult(input_requests=possible, request_state=sealed)


_ANSWERS: dict[str, type[BaseModel]] = {
    "elicitation/create": types.ElicitResult,
    "sampling/createMessage": types.CreateMessageResult,
    "roots/list": types.ListRootsResult,
}


def _answers(params: Params, requests: dict[str, Any]) -> dict[str, Any]:
    """The answers that the call brings; a question that was not accepted has none."""
    given = params.input_responses or {}
    return {
        key: given[key]
        for key, request in requests.items()
        if isinstance(given.get(key), _ANSWERS[request.method]) and getattr(given[key], "action", "accept") == "accept"
    }


def _state(params: Params) -> str | None:
    """Open the sealed state; raise an error if it was changed."""
    if params.request_state is None:
        return None
    try:
        return _STATE.unseal(params.request_state).decode()
    except InvalidRequestState as exc:
        raise MCPError(types.INVALID_PARAMS, "The request state is not one of this server's") from exc


def _asking(text: str, *, sealed: bool = False, **requests: Any) -> RawTool:
    """A tool that asks until it has all answers, and then says `text` with them filled in."""

    async def run(ctx: Context, params: types.CallToolRequestParams) -> ToolResult:
        found = _answers(params, requests)
        if len(found) < len(requests) or (sealed and _state(params) is None):
            return _ask(ctx, "asked" if sealed else None, **requests)
        return result(text.format(**found))

    return run


_STEPS = {
    "first": {"step1": _field("Step 1: What is your name?", "name")},
    "second": {"step2": _field("Step 2: What is your favorite color?", "color")},
}


async def _ask_twice(ctx: Context, params: types.CallToolRequestParams) -> ToolResult:
    state = _state(params)
    if state not in _STEPS or not _answers(params, _STEPS[state]):
        return _ask(ctx, "first", **_STEPS["first"])
    return result("Thank you.") if state == "second" else _ask(ctx, "second", **_STEPS["second"])


_GREET = _asking("Hello, {user_name.content[name]}!", user_name=_NAME)
_CAPITAL = _sampling("What is the capital of France?")
_CONFIRM = _asking("state-ok", sealed=True, confirm=_field("Please confirm", "ok", "boolean"))
_ROOTS = {"client_roots": types.ListRootsRequest()}
RAW_TOOLS: dict[str, RawTool] = {
    **{name: _fixed(blocks) for name, blocks in _FIXED_RESULTS.items()},
    "test_tool_with_logging": _log_messages,
    "test_logging_tool": _log_messages,
    "test_sampling": _sample,
    "test_elicitation": _elicit(None, _form({"username": _STRING, "email": _STRING}, "username", "email")),
    "test_elicitation_sep1034_defaults": _elicit("Please review", _form(_DEFAULTS)),
    "test_elicitation_sep1330_enums": _elicit("Please choose", _form(_ENUMS)),
    "test_input_required_result_elicitation": _GREET,
    "test_input_required_result_sampling": _asking("It is {capital_question.content}", capital_question=_CAPITAL),
    "test_input_required_result_list_roots": _asking("{client_roots.roots}", **_ROOTS),
    "test_input_required_result_request_state": _CONFIRM,
    "test_input_required_result_tampered_state": _CONFIRM,
    "test_input_required_result_multiple_inputs": _asking(
        "Thank you.", sealed=True, user_name=_NAME, greeting=_GREETING, **_ROOTS
    ),
    "test_input_required_result_multi_round": _ask_twice,
    "test_input_required_result_capabilities": _asking("Thank you.", user_name=_NAME, greeting=_GREETING),
    "test_missing_capability": _asking("Thank you.", greeting=_GREETING),
    "test_streaming_elicitation": _GREET,
}
TOOL_ARGUMENTS = {"test_sampling": "prompt", "test_elicitation": "message"}

_PROMPT_ARGUMENTS = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}
PROMPTS = [
    types.Prompt(
        name=name,
        description=f"The suite's {name}.",
        arguments=[types.PromptArgument(name=argument, required=True) for argument in arguments],
    )
    for name, arguments in _PROMPT_ARGUMENTS.items()
]
_PLAIN, _IMAGE_TYPE = "text/plain", "image/png"
RESOURCES = [
    types.Resource(uri=f"test://{name}", name=name, description="Of the suite.", mime_type=mime_type)
    for name, mime_type in (("static-text", _PLAIN), ("static-binary", _IMAGE_TYPE), ("watched-resource", _PLAIN))
]
RESOURCE_TEMPLATES = [
    types.ResourceTemplate(uri_template="test://template/{id}/data", name="data", mime_type="application/json")
]
_TEMPLATE = re.compile(r"test://template/([^/]+)/data")


async def get_prompt(
    ctx: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult | None:
    """One of the suite's prompts; None for any other."""
    arguments = params.arguments or {}
    if params.name == "test_input_required_result_prompt":
        request = {"user_context": _field("What context should the prompt use?", "context")}
        found = _answers(params, request)
        if not found:
            return _ask(ctx, **request)
        return _messages("Use this context: {user_context.content[context]}".format(**found))
    if params.name == "test_prompt_with_arguments":
        return _messages("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'".format_map(arguments))
    if params.name == "test_prompt_with_embedded_resource":
        embedded = _embedded(arguments["resourceUri"], "Embedded resource content for testing.")
        return _messages(embedded, "Please process the embedded resource above.")
    fixed = {
        "test_simple_prompt": ["This is a simple prompt for testing."],
        "test_prompt_with_image": [_IMAGE, "Please analyze the image above."],
    }
    return _messages(*fixed[params.name]) if params.name in fixed else None


def _messages(*blocks: dict[str, Any] | str) -> types.GetPromptResult:
    messages = [{"role": "user", "content": _block(block)} for block in blocks]
    return types.GetPromptResult.model_validate({"messages": messages})


def read_resource(uri: str) -> types.ReadResourceResult | None:
    """One of the suite's resources; None for any other address."""
    if uri == "test://static-binary":
        content = {"mimeType": "image/png", "blob": _PNG}
    elif uri in ("test://static-text", "test://watched-resource"):
        content = {"mimeType": "text/plain", "text": "This is the content of the static text resource."}
    elif found := _TEMPLATE.fullmatch(uri):
        data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
        content = {"mimeType": "application/json", "text": json.dumps(data)}
    else:
        return None
    return types.ReadResourceResult.model_validate({"contents": [{"uri": uri, **content}]})
