"""Ask a person for consent to a call, in both protocol eras and in two-step mode.

- The modern era (2026-07-28) has no requests from server to client: the question is the result of the first call, and
  the answer comes with a second call.
- The legacy era asks while the call waits.
- In two-step mode, if the host cannot ask, the first call returns a preview with a token, and the second call brings
  the token back as an argument.
"""

from collections.abc import Mapping
from typing import Any

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import ValidationError

from contacts_mcp.contract import invalid_field
from contacts_mcp.guard import Consent, ConsentAnswer, Guard, GuardedCall, Preview, Question, Refused
from contacts_mcp.server._context import RequestContext, is_modern
from contacts_mcp.server._recording import CallRecord, count_confirmation

_INPUT_KEY = "confirm"
_TOKEN_ARGUMENT = "confirmation_token"  # noqa: S105 - an argument's name
_TOKEN_SCHEMA = {"type": "string", "description": "From the preview that the same call returned."}


async def obtain_consent(
    ctx: RequestContext,
    params: CallToolRequestParams,
    guard: Guard,
    call: GuardedCall,
    token: str | None,
    record: CallRecord,
) -> Consent | Question | Preview:
    """Return consent to a call, or the question or preview to answer with instead. Raises like `Guard.decide`."""
    answer: ConsentAnswer | None = None
    if token:
        answer = ConsentAnswer(token, channel="token")
    elif is_modern(ctx) and (params.request_state is not None or params.input_responses):  # the second call
        answer = _to_answer(params.request_state, (params.input_responses or {}).get(_INPUT_KEY))
    verdict = await _decide(guard, call, answer, can_ask=can_elicit(ctx))
    if not isinstance(verdict, Consent):
        record.consent = "asked"
    if isinstance(verdict, Question) and not is_modern(ctx):
        return await _decide(guard, call, await _ask_person(ctx, verdict), can_ask=True)
    return verdict


async def _decide(
    guard: Guard, call: GuardedCall, answer: ConsentAnswer | None, *, can_ask: bool
) -> Consent | Question | Preview:
    """Return the guard's verdict, and count it in the metrics."""
    try:
        verdict = await guard.decide(call, answer, can_ask=can_ask)
    except Refused:
        if answer is not None:
            count_confirmation(call.tool, "refused")
        raise
    if not isinstance(verdict, Consent):
        count_confirmation(call.tool, "asked")
    elif verdict is not Consent.NONE_NEEDED:
        count_confirmation(call.tool, "given")
    return verdict


def can_elicit(ctx: RequestContext) -> bool:
    """Whether the host can show a form. Asking a host that did not declare this is a protocol error."""
    capabilities = ctx.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):  # empty means form
        return False
    return is_modern(ctx) or ctx.session.can_send_request


def question_result(question: Question) -> InputRequiredResult:
    """Return the question as the result of a modern call."""
    form = ElicitRequestFormParams(message=question.message, requested_schema=dict(question.form))
    return InputRequiredResult(input_requests={_INPUT_KEY: ElicitRequest(params=form)}, request_state=question.state)


async def _ask_person(ctx: RequestContext, question: Question) -> ConsentAnswer:
    """Ask in the legacy era, and wait until the question expires. Raises Refused if the host could not show it."""
    form = dict(question.form)
    with anyio.move_on_after(question.lifetime_seconds):
        try:
            result = await ctx.session.elicit_form(question.message, form, related_request_id=ctx.request_id)
        except ValidationError:  # an unknown shape is not a yes
            return _to_answer(question.state, None)
        except MCPError:
            raise Refused("the host could not put the question to a person", advice="nothing was changed") from None
        return _to_answer(question.state, result)
    return ConsentAnswer(question.state, "none")


def _to_answer(state: str | None, response: object) -> ConsentAnswer:
    """Convert a response for the guard. A response that is not an elicitation result counts as an empty form."""
    if not isinstance(response, ElicitResult):
        return ConsentAnswer(state)
    return ConsentAnswer(state, response.action, response.content)


def add_token_argument(input_schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input schema of a guarded tool in two-step mode."""
    return {**input_schema, "properties": {**input_schema["properties"], _TOKEN_ARGUMENT: _TOKEN_SCHEMA}}


def split_token_argument(given: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Split the arguments into those that a token is valid for, and the token. Raises ValidationFailed."""
    arguments = dict(given)
    token = arguments.pop(_TOKEN_ARGUMENT, None)
    if token is not None and not isinstance(token, str):
        raise invalid_field(_TOKEN_ARGUMENT, "should be a string")
    return arguments, token or None
