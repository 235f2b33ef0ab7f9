"""The results of tool calls: answers, questions in each form that a host takes, and errors in one line."""

from collections.abc import Mapping
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from contacts_mcp.audit import Outcome
from contacts_mcp.contract import ContactsError, Risk
from contacts_mcp.guard import Preview, Question
from contacts_mcp.middleware import CURRENT_REQUEST_ID
from contacts_mcp.server._consent import PageAddress, Waiting
from contacts_mcp.server._context import one_line
from contacts_mcp.server._elicitation import address_result, question_result
from contacts_mcp.server._panel import question_meta
from contacts_mcp.server._panel_consent import PanelQuestion
from contacts_mcp.server._recording import CallRecord
from contacts_mcp.text import sanitize
from contacts_mcp.tools import ConsentReport, NotDone, Tool, render

REQUEST_ID_META = "services.wayscloud/request-id"  # in a failed result's `_meta`; the log has the same id
_MAX_NAME_LENGTH = 64

Result = types.CallToolResult | types.InputRequiredResult


def verdict_result(verdict: Question | PanelQuestion | PageAddress | Preview | Waiting) -> Result:
    """Return the result of a call that a person has not agreed to yet."""
    match verdict:
        case Question():
            return question_result(verdict)
        case PanelQuestion():
            not_done = NotDone(done=False, reason=verdict.message)
            return answer_result(not_done, meta=question_meta(verdict.question))
        case PageAddress():
            return address_result(verdict.message, verdict.url)
        case Preview():
            return preview_result(verdict)
        case Waiting():
            return answer_result(NotDone(done=False, reason=verdict.message))


class PreviewAnswer(BaseModel):
    """The answer of the first of two steps: nothing was done yet."""

    status: str
    question: str
    confirmation_token: str
    expires_in_seconds: int


def answer_result(
    answer: BaseModel, report: ConsentReport | None = None, *, meta: dict[str, Any] | None = None
) -> types.CallToolResult:
    """Return a tool's answer as text and as structured content; `meta` is only for the host and its panel.

    A file's URI is in both; a resource link in addition would end the run in many agent frameworks.
    """
    data, text = render(answer, report)
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=content, structured_content=data, _meta=meta)


def preview_result(preview: Preview) -> types.CallToolResult:
    """Return the result of the first of two steps."""
    answer = PreviewAnswer(
        status="not done yet: show the question to the person; only if they agree, repeat the call with the token",
        question=preview.message,
        confirmation_token=preview.token,
        expires_in_seconds=int(preview.lifetime_seconds),
    )
    return answer_result(answer)


def error_result(line: str) -> types.CallToolResult:
    """Return an error in one line; over a network with the request id in `_meta`."""
    request_id = CURRENT_REQUEST_ID.get()
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=one_line(line))],
        is_error=True,
        _meta={REQUEST_ID_META: request_id} if request_id else None,
    )


def cut_off_line(record: CallRecord) -> str:
    """Return the error of a call that the transport or the stopping server cancelled."""
    if record.outcome is Outcome.NOT_RUN or record.risk is Risk.READ:
        return "stopping: the server is stopping; nothing was changed; call again in a moment"
    if record.counts:
        return f"stopping: the server is stopping; {record.counts}; call again in a moment to go on from there"
    return "stopping: the server is stopping; the change may have been made; read the record back before repeating it"


def failure_line(error: ContactsError, record: CallRecord) -> str:
    """Return the line of an error, with the counts of what a bulk call did before it."""
    if not record.counts:
        return str(error)
    return f"{error.code}: {error.message}; until then {record.counts}; call again to do the rest"


def unknown_tool_line(name: str, tools: Mapping[str, Tool]) -> str:
    """Return the line about a tool that the caller cannot call, with the names of those that they can."""
    return (
        f"unknown_tool: {sanitize(name, _MAX_NAME_LENGTH)} does not exist or is switched off here; "
        f"nothing was changed; available tools: {', '.join(tools)}"
    )
