"""Ask the host to put a question to a person, in both protocol eras and in two-step mode.

- The modern era (2026-07-28) has no requests from server to client: the question is the result of the first call, and
  the answer comes with a second call.
- The legacy era asks while the call waits. A form stays open when the call ends without an answer, so that the next
  call can wait for the same form.
- In two-step mode, if the host cannot ask, the first call returns a preview with a token, and the second call brings
  the token back as an argument.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    ElicitResult,
    InputRequiredResult,
)
from pydantic import ValidationError

from contacts_mcp.contract import invalid_field
from contacts_mcp.guard import ConsentAnswer, GuardedCall, NeverShown, Question, hash_json
from contacts_mcp.server._context import RequestContext, connection_of, is_modern

_INPUT_KEY = "confirm"
_PAGE_STATE = "page"
"""The state of a call whose host was given a page's address. It proves nothing: the decision is in the approval."""
_OPEN_FORMS_KEY = "contacts_mcp.open_forms"
_TOKEN_ARGUMENT = "confirmation_token"  # noqa: S105 - an argument's name
_TOKEN_SCHEMA = {"type": "string", "description": "From the preview that the same call returned."}


def can_elicit(ctx: RequestContext) -> bool:
    """Whether the host can show a form. Asking a host that did not declare this is a protocol error."""
    capabilities = ctx.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):  # empty means form
        return False
    return is_modern(ctx) or ctx.session.can_send_request


def can_open_url(ctx: RequestContext) -> bool:
    """Whether the host can give a person the address of a page."""
    capabilities = ctx.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    is_declared = elicitation is not None and elicitation.url is not None
    return is_declared and (is_modern(ctx) or ctx.session.can_send_request)


def question_result(question: Question) -> InputRequiredResult:
    """Return the question as the result of a modern call."""
    form = ElicitRequestFormParams(message=question.message, requested_schema=dict(question.form))
    return InputRequiredResult(input_requests={_INPUT_KEY: ElicitRequest(params=form)}, request_state=question.state)


def address_result(message: str, url: str) -> InputRequiredResult:
    """Return the address of a page as the result of a modern call."""
    page = ElicitRequestURLParams(message=message, url=url)
    return InputRequiredResult(input_requests={_INPUT_KEY: ElicitRequest(params=page)}, request_state=_PAGE_STATE)


def answer_in(ctx: RequestContext, params: CallToolRequestParams) -> ConsentAnswer | None:
    """Return the answer that the second call of the modern era brings, if this is one."""
    if not is_modern(ctx) or (params.request_state is None and not params.input_responses):
        return None
    answer = _to_answer(params.request_state, (params.input_responses or {}).get(_INPUT_KEY))
    return replace(answer, channel="page") if params.request_state == _PAGE_STATE else answer


class OpenForms:
    """The forms of one legacy session that a person may still answer, by the call that they are about."""

    def __init__(self) -> None:
        self._forms: dict[str, asyncio.Task[ConsentAnswer]] = {}
        self._addresses: dict[str, asyncio.Task[None]] = {}

    @classmethod
    def of(cls, ctx: RequestContext) -> "OpenForms":
        """Return the forms of the request's session, which are withdrawn when the session ends."""
        connection = connection_of(ctx)
        if _OPEN_FORMS_KEY not in connection.state:
            forms = connection.state[_OPEN_FORMS_KEY] = cls()
            connection.exit_stack.callback(forms._withdraw_all)
        found: OpenForms = connection.state[_OPEN_FORMS_KEY]
        return found

    def find(self, call: GuardedCall) -> "asyncio.Task[ConsentAnswer] | None":
        """Return the form that was shown for this very call, answered or not."""
        return self._forms.get(_key_of(call))

    def show(self, ctx: RequestContext, call: GuardedCall, question: Question) -> "asyncio.Task[ConsentAnswer]":
        """Show a form; its answer is awaited after the call has ended, too."""
        form = self._forms[_key_of(call)] = asyncio.create_task(_ask_person(ctx, question))
        form.add_done_callback(_retrieve_exception)
        return form

    def close(self, call: GuardedCall, form: "asyncio.Task[ConsentAnswer]") -> None:
        """Withdraw a form, if it is still open; its answer no longer counts."""
        if self._forms.get(_key_of(call)) is form:
            del self._forms[_key_of(call)]
        form.cancel()

    def run_once(self, approval_id: str, give_address: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Give the host the address of an approval's page, unless it was given before."""
        if approval_id not in self._addresses:
            giving = self._addresses[approval_id] = asyncio.create_task(give_address())
            giving.add_done_callback(_retrieve_exception)
            giving.add_done_callback(lambda _: self._addresses.pop(approval_id, None))

    def _withdraw_all(self) -> None:
        for task in [*self._forms.values(), *self._addresses.values()]:
            task.cancel()


def _key_of(call: GuardedCall) -> str:
    return hash_json([call.tool, call.principal, call.arguments])


def _retrieve_exception(form: "asyncio.Task[Any]") -> None:
    """Keep asyncio from logging the error of a form for which no call waits any more."""
    if not form.cancelled():
        form.exception()


async def _ask_person(ctx: RequestContext, question: Question) -> ConsentAnswer:
    """Ask in the legacy era, and wait until the question expires. Raises NeverShown if the host could not show it."""
    form = dict(question.form)
    with anyio.move_on_after(question.lifetime_seconds):
        try:
            result = await ctx.session.elicit_form(question.message, form, related_request_id=ctx.request_id)
        except ValidationError:  # an unknown shape is not a yes
            return _to_answer(question.state, None)
        except MCPError:
            raise NeverShown from None
        return _to_answer(question.state, result)
    return ConsentAnswer(question.state, "none")


async def ask_to_open(ctx: RequestContext, message: str, url: str, elicitation_id: str) -> str:
    """Give the host a page's address in the legacy era; return what came of it: accept, decline or cancel."""
    try:
        result = await ctx.session.elicit_url(message, url, elicitation_id, related_request_id=ctx.request_id)
    except (ValidationError, MCPError):
        return "cancel"
    return result.action


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
