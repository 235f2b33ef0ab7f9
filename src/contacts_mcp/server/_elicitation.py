"""Asking the person behind the host, in both protocol eras.

The modern era (2026-07-28) has no requests from server to client: the question is returned, and the answer comes with
a second call. The legacy era asks while the first call waits.
"""

from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    ElicitationCapability,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from contacts_mcp.guard import ConsentAnswer, Question, Refused

_KEY = "confirm"

Context = ServerRequestContext[Any, Any]


def is_modern(ctx: Context) -> bool:
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def can_be_asked(ctx: Context) -> bool:
    """Whether the host said that it shows forms; to ask one that did not is a protocol error."""
    capabilities = ctx.session.client_capabilities
    if capabilities is None or not _shows_forms(capabilities.elicitation):
        return False
    return is_modern(ctx) or ctx.session.can_send_request


def _shows_forms(elicitation: ElicitationCapability | None) -> bool:
    """An empty capability means forms, as it did before there were others."""
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def answer_brought(ctx: Context, params: CallToolRequestParams) -> ConsentAnswer | None:
    """The answer that a second modern call carries; None where this is a first call."""
    if not is_modern(ctx) or (params.request_state is None and not params.input_responses):
        return None
    return _answer(params.request_state, (params.input_responses or {}).get(_KEY))


def ask_by_return(question: Question) -> InputRequiredResult:
    """The question as a modern call's result."""
    form = ElicitRequestFormParams(message=question.message, requested_schema=dict(question.form))
    return InputRequiredResult(input_requests={_KEY: ElicitRequest(params=form)}, request_state=question.state)


async def ask_now(ctx: Context, question: Question) -> ConsentAnswer:
    """Ask over the legacy back channel, and wait for as long as the question can be answered.

    Raises:
        Refused: the host could not put the question to anybody.
    """
    result: ElicitResult | None = None
    with anyio.move_on_after(question.lifetime_seconds):
        try:
            result = await ctx.session.elicit_form(
                question.message, dict(question.form), related_request_id=ctx.request_id
            )
        except ValidationError:
            result = None  # an answer of no known shape is no yes
        except MCPError:
            raise Refused("the host could not put the question to a person", advice="nothing was changed") from None
    return _answer(question.state, result)


def _answer(state: str | None, response: object) -> ConsentAnswer:
    """What came back; anything but a form that was accepted or turned down counts as an empty form."""
    if not isinstance(response, ElicitResult):
        return ConsentAnswer(state, accepted=True)
    return ConsentAnswer(state, accepted=response.action == "accept", content=response.content)
