"""The suite's tools that ask by their result, as the modern era has it, and take the answer from the next call."""

import os
from typing import Any

from mcp.server.context import ServerRequestContext as Context
from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    GetPromptRequestParams,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
)

from conformance.asking_tools import form, sampling
from conformance.content_tools import said

Params = CallToolRequestParams | GetPromptRequestParams
Request = ElicitRequest | CreateMessageRequest | ListRootsRequest
Result = CallToolResult | InputRequiredResult

_SEAL = AESGCMRequestStateCodec([os.urandom(32)])
_CAPABILITIES = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}


def field(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = form({name: {"type": kind}}, name)
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def asked(ctx: Context, state: str | None = None, **requests: Request) -> InputRequiredResult:
    """Ask for all that the client says it can give."""
    able = {key: request for key, request in requests.items() if _is_able(ctx, _CAPABILITIES[request.method])}
    if not able:
        needed = {_CAPABILITIES[request.method]: {} for request in requests.values()}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "Nobody can be asked", {"requiredCapabilities": needed})
    sealed = None if state is None else _SEAL.seal(state.encode())
    return InputRequiredResult(input_requests=able, request_state=sealed)


def given(params: Params, key: str) -> dict[str, Any] | None:
    """The fields of a form that was accepted."""
    answer = (params.input_responses or {}).get(key)
    return answer.content if isinstance(answer, ElicitResult) and answer.action == "accept" else None


def state_of(params: Params) -> str | None:
    """What was sealed; an error for what was not sealed here, or was changed."""
    if params.request_state is None:
        return None
    try:
        return _SEAL.unseal(params.request_state).decode()
    except InvalidRequestState as exc:
        raise MCPError(INVALID_PARAMS, "The request state is not one of this server's") from exc


async def test_input_required_result_elicitation(ctx: Context, params: CallToolRequestParams) -> Result:
    """Asks for a name."""
    person = given(params, "user_name")
    if person is None:
        return asked(ctx, user_name=field("What is your name?", "name"))
    return said(f"Hello, {person['name']}!")


async def test_input_required_result_sampling(ctx: Context, params: CallToolRequestParams) -> Result:
    """Has the client's model answer a question."""
    answer = (params.input_responses or {}).get("capital_question")
    if not isinstance(answer, CreateMessageResult):
        return asked(ctx, capital_question=sampling("What is the capital of France?"))
    return said(f"The model says: {answer.content}")


async def test_input_required_result_list_roots(ctx: Context, params: CallToolRequestParams) -> Result:
    """Asks for the client's roots."""
    answer = (params.input_responses or {}).get("client_roots")
    if not isinstance(answer, ListRootsResult):
        return asked(ctx, client_roots=ListRootsRequest())
    return said(*(str(root.uri) for root in answer.roots))


async def test_input_required_result_request_state(ctx: Context, params: CallToolRequestParams) -> Result:
    """Asks, and wants its sealed state back."""
    if state_of(params) is None or given(params, "confirm") is None:
        return asked(ctx, "asked", confirm=field("Please confirm", "ok", "boolean"))
    return said("state-ok")


async def test_input_required_result_tampered_state(ctx: Context, params: CallToolRequestParams) -> Result:
    """Asks, and refuses a state that was changed."""
    return await test_input_required_result_request_state(ctx, params)


async def test_input_required_result_multiple_inputs(ctx: Context, params: CallToolRequestParams) -> Result:
    """Asks for three things at once."""
    three: dict[str, Request] = {
        "user_name": field("What is your name?", "name"),
        "greeting": sampling("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if state_of(params) is None or three.keys() - (params.input_responses or {}).keys():
        return asked(ctx, "asked", **three)
    return said("Thank you.")


async def test_input_required_result_multi_round(ctx: Context, params: CallToolRequestParams) -> Result:
    """Asks twice."""
    match state_of(params):
        case "first" if given(params, "step1"):
            return asked(ctx, "second", step2=field("Step 2: What is your favorite color?", "color"))
        case "second" if given(params, "step2"):
            return said("Thank you.")
        case _:
            return asked(ctx, "first", step1=field("Step 1: What is your name?", "name"))


async def test_input_required_result_capabilities(ctx: Context, params: CallToolRequestParams) -> Result:
    """Asks for no more than the client can give."""
    return asked(ctx, user_name=field("What is your name?", "name"), greeting=sampling("Generate a greeting"))


async def test_missing_capability(ctx: Context, params: CallToolRequestParams) -> Result:
    """Needs a client with a model."""
    return asked(ctx, greeting=sampling("Generate a greeting"))


async def test_streaming_elicitation(ctx: Context, params: CallToolRequestParams) -> Result:
    """Asks for a name, and sends no request of its own."""
    return await test_input_required_result_elicitation(ctx, params)


def _is_able(ctx: Context, capability: str) -> bool:
    return getattr(ctx.session.client_capabilities, capability, None) is not None


RETURNING_TOOLS = (
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
    test_missing_capability,
    test_streaming_elicitation,
)
