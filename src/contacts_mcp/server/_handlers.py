"""What the server does with tools/list and tools/call."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from contacts_mcp.audit import Outcome
from contacts_mcp.contract import ContactsError, PermissionDenied, Risk
from contacts_mcp.guard import Consent, ConsentAnswer, Guard, GuardedCall, GuardMode, Preview, Question
from contacts_mcp.server._caller import BackendFactory, Caller, caller_of, request_id_of
from contacts_mcp.server._calls import Calls
from contacts_mcp.server._elicitation import Context, answer_brought, ask_by_return, ask_now, can_be_asked, is_modern
from contacts_mcp.server._logging import log_failure
from contacts_mcp.server._observe import begin, consent, end, place, turned_away
from contacts_mcp.server._results import answered, failed, internal_error, previewed
from contacts_mcp.server._trail import CallRecorder, Entry
from contacts_mcp.server._two_step import split_token, with_token
from contacts_mcp.text import sanitize
from contacts_mcp.tools import Backend, PreparedCall, Tool, parse_arguments, read_target

logger = logging.getLogger(__name__)

Changed = Callable[[str, Tool, BaseModel, BaseModel], None]
"""Told of each call that succeeded: its tenant, tool, arguments and answer."""
Result = types.CallToolResult | types.InputRequiredResult


class ToolHandlers:
    """Tools for those who may use them. `changed` neither waits nor fails."""

    def __init__(
        self,
        tools: Sequence[Tool],
        backend_for: BackendFactory,
        guard: Guard,
        calls: Calls,
        changed: Changed,
        recorder: CallRecorder,
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._backend_for = backend_for
        self._guard = guard
        self._calls = calls
        self._changed = changed
        self._recorder = recorder

    async def list_tools(self, ctx: Context, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[self._listed(tool) for tool in self._allowed(caller_of(ctx)).values()])

    async def call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> Result:
        """Call a tool; whatever goes wrong is one line to the model, and to the client's log where it wants one."""
        result = await self._attempt(ctx, params)
        if isinstance(result, types.CallToolResult) and result.is_error:
            await log_failure(ctx, result)
        return result

    async def _attempt(self, ctx: Context, params: types.CallToolRequestParams) -> Result:
        """Find, validate, guard, run, render, record."""
        caller = caller_of(ctx)
        tool = self._tools.get(params.name)
        if tool is None or not tool.is_allowed(caller.risks):
            turned_away()
            error = "unknown_tool" if tool is None else PermissionDenied.code
            await self._recorder.turn_away([params.name], caller.principal, request_id_of(ctx), error)
            return failed(_no_such_tool(params.name, self._allowed(caller)))
        entry = Entry(tool.name, tool.risk, caller.principal, request_id_of(ctx))
        begin(entry)
        try:
            with self._calls.under_way(ctx):
                return await self._call(ctx, params, tool, caller, entry)
            return failed(_cut_off(entry))
        except ContactsError as exc:
            entry.fail(exc)
            return failed(_stopped(exc, entry))
        except Exception as exc:  # noqa: BLE001 - the model reads one line, and the log no values
            logger.error("%s failed: %s", tool.name, place(exc))  # noqa: TRY400 - a traceback could hold values
            entry.break_down()
            return failed(internal_error(tool.name))
        finally:
            await self._recorder.end(entry)
            end(entry)

    async def _call(
        self, ctx: Context, params: types.CallToolRequestParams, tool: Tool, caller: Caller, entry: Entry
    ) -> Result:
        given = params.arguments or {}
        raw, token = split_token(given) if self._takes_token(tool) else (given, None)
        arguments = parse_arguments(tool.arguments, tool.input_schema, raw)
        entry.aim({name: getattr(arguments, name) for name in tool.target_args})
        backend = replace(self._backend_for(caller), report=ctx.session.report_progress)
        job = await tool.prepare(backend, arguments)
        entry.take_up(job.risk, job.counts)
        _require_allowed(job.risk, caller)
        verdict: Consent | Question | Preview = Consent.NONE_NEEDED
        if self._guard.requires_consent(tool.name, job.risk):
            answer = (
                answer_brought(ctx, params) if token is None else ConsentAnswer(token, accepted=True, channel="token")
            )
            call = _guarded_call(tool, job, raw, arguments, caller.principal, backend)
            verdict = await self._consent(ctx, call, answer, entry)
        if not isinstance(verdict, Consent):
            entry.outcome = Outcome.ASKED
            return ask_by_return(verdict) if isinstance(verdict, Question) else previewed(verdict)
        entry.agree(verdict)
        await self._recorder.begin(entry)
        entry.begin()
        result = await job.run()
        entry.outcome = Outcome.DONE
        self._changed(caller.tenant, tool, arguments, result)
        return answered(result)

    async def _consent(
        self, ctx: Context, call: GuardedCall, answer: ConsentAnswer | None, entry: Entry
    ) -> Consent | Question | Preview:
        verdict = await consent(self._guard, call, answer, can_ask=can_be_asked(ctx))
        if not isinstance(verdict, Consent):
            entry.ask()
        if isinstance(verdict, Question) and not is_modern(ctx):
            return await consent(self._guard, call, await ask_now(ctx, verdict), can_ask=True)
        return verdict

    def _allowed(self, caller: Caller) -> dict[str, Tool]:
        """The tools that are on, as far as the caller may use them."""
        return {name: tool for name, tool in self._tools.items() if tool.is_allowed(caller.risks)}

    def _takes_token(self, tool: Tool) -> bool:
        return self._guard.mode is GuardMode.TWO_STEP and self._guard.requires_consent(tool.name, tool.risk)

    def _listed(self, tool: Tool) -> types.Tool:
        two_step = self._takes_token(tool)
        return types.Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=with_token(tool.input_schema) if two_step else tool.input_schema,
            output_schema=None if two_step else tool.output_schema,  # a preview is of another shape
            annotations=types.ToolAnnotations.model_validate(tool.annotations),
        )


def _require_allowed(risk: Risk, caller: Caller) -> None:
    """A call may be graver than the least that its tool is of use for, and only the look into it tells."""
    if risk is not Risk.READ and risk not in caller.risks:
        raise PermissionDenied("this call would do more than you may do here", advice="nothing was changed")


def _guarded_call(
    tool: Tool, job: PreparedCall, raw: Mapping[str, Any], arguments: BaseModel, principal: str, backend: Backend
) -> GuardedCall:
    return GuardedCall(
        tool=tool.name,
        risk=job.risk,
        arguments=raw,
        principal=principal,
        read_target=job.read_target or (lambda: read_target(backend, tool, arguments)),
        details=arguments.model_dump(exclude_unset=True, exclude=set(tool.target_args)),
        wording=tool.wording,
    )


def _cut_off(entry: Entry) -> str:
    """What a caller is told whose call was ended by the server or the transport, not by itself."""
    if entry.outcome is Outcome.NOT_RUN or entry.risk is Risk.READ:
        return "stopping: the server is stopping; nothing was changed; call again in a moment"
    if entry.tally:
        return f"stopping: the server is stopping; {entry.tally}; call again in a moment to go on from there"
    return "stopping: the server is stopping; the change may have been made; read the record back before repeating it"


def _stopped(error: ContactsError, entry: Entry) -> str:
    """What a caller is told of an error; of a job that had got somewhere also how far."""
    if not entry.tally:
        return str(error)
    return f"{error.code}: {error.message}; until then {entry.tally}; what is left can be done by another call"


def _no_such_tool(name: str, tools: Mapping[str, Tool]) -> str:
    return (
        f"unknown_tool: {sanitize(name, 64)} does not exist or is switched off here; nothing was changed; "
        f"there are {', '.join(tools)}"
    )
