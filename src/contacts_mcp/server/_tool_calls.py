"""tools/list and tools/call: find the tool, validate, resolve names, prepare, guard, run, render, record."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from contacts_mcp.audit import Outcome
from contacts_mcp.contract import ContactsError, PermissionDenied, Risk, ValidationFailed
from contacts_mcp.guard import CONSENT_WORDS, Consent, Declined, Guard, GuardedCall, GuardMode
from contacts_mcp.server._approval_desk import to_guarded_call
from contacts_mcp.server._asking import Asking
from contacts_mcp.server._consent import ConsentLadder, Verdict
from contacts_mcp.server._context import (
    ActiveCalls,
    BackendFactory,
    Caller,
    RequestContext,
    caller_of,
    exception_site,
    files_url_of,
    internal_error_line,
    request_id_of,
    require_first_page,
)
from contacts_mcp.server._elicitation import split_token_argument
from contacts_mcp.server._extra_tools import ExtraTools
from contacts_mcp.server._panel import (
    PanelCall,
    PanelState,
    call_meta,
    question_meta,
    read_panel_call,
    shows_panel,
    view_of,
)
from contacts_mcp.server._progress import CallProgress
from contacts_mcp.server._recording import (
    CallRecord,
    CallRecorder,
    count_rejected_call,
    log_internal_error,
    measure_call,
)
from contacts_mcp.server._results import (
    Result,
    answer_result,
    cut_off_line,
    error_result,
    failure_line,
    unknown_tool_line,
    verdict_result,
)
from contacts_mcp.server._subscriptions import Subscriptions
from contacts_mcp.server._tool_list import ToolList, limit_risks
from contacts_mcp.server._versions import progress_reporter
from contacts_mcp.server._ways import Ways
from contacts_mcp.tools import (
    Backend,
    CallConsent,
    ConsentReport,
    NotDone,
    PreparedCall,
    ServiceOffer,
    Tool,
    drop_host_arguments,
    parse_arguments,
    resolve_names,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Call:
    """A tool call: the request, its caller, and what is recorded of it."""

    ctx: RequestContext
    params: types.CallToolRequestParams
    tool: Tool
    caller: Caller
    record: CallRecord
    panel: PanelCall | None = None
    """What the panel wants of the call, if the call is not the model's."""

    @cached_property
    def progress(self) -> CallProgress:
        """The progress, which the SDK sends if the client gave a token for it."""
        return CallProgress(progress_reporter(self.ctx), self._waiting_for)

    def _waiting_for(self) -> str:
        return "the person's answer" if self.record.consent == "asked" else "the contact directory"


class ToolHandlers:
    """Handles tools/list and tools/call. A caller sees the tools that are switched on and that the caller may use."""

    def __init__(
        self,
        tools: Sequence[Tool],
        backend_for: BackendFactory,
        guard: Guard,
        active_calls: ActiveCalls,
        subscriptions: Subscriptions,
        recorder: CallRecorder,
        *,
        open_world: bool,
        ways: Ways | None = None,
        panel_tools: Sequence[Tool] = (),
        extra_tools: ExtraTools | None = None,
    ) -> None:
        self._extra_tools = extra_tools or ExtraTools()
        self._ladder = ConsentLadder(guard, ways)
        self._list = ToolList(tools, guard, open_world=open_world, panel_tools=panel_tools)
        self._backend_for = backend_for
        self._guard = guard
        self._guarded_risks = {
            tool.name: [risk for risk in Risk if guard.requires_consent(tool.name, risk)]
            for tool in (*tools, *panel_tools)
        }
        self._active_calls = active_calls
        self._subscriptions = subscriptions
        self._recorder = recorder

    async def list_tools(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        require_first_page(params)
        caller = caller_of(ctx)
        listed = self._list.list(caller, await self._offer(caller), has_panel=shows_panel(ctx))
        return types.ListToolsResult(tools=[*listed, *self._extra_tools.list(ctx)])

    async def call_tool(self, ctx: RequestContext, params: types.CallToolRequestParams) -> Result:
        """Find the tool and call it. A failure is one line for the model, and a log message if the client wants it."""
        if self._extra_tools.has(ctx, params.name):
            return await self._extra_tools.call(ctx, params)
        panel: PanelCall | None = None
        if shows_panel(ctx):
            try:
                panel = read_panel_call(params)
            except ValidationFailed as exc:
                return error_result(str(exc))
        if panel:
            params = params.model_copy(update={"name": panel.tool, "arguments": panel.arguments})
        return await self._find_and_call(ctx, params, panel)

    async def _find_and_call(
        self, ctx: RequestContext, params: types.CallToolRequestParams, panel: PanelCall | None
    ) -> Result:
        caller, request_id = caller_of(ctx), request_id_of(ctx)
        tool = self._list.find(params.name, params.arguments, has_panel=shows_panel(ctx))
        if tool and tool.extension and not (await self._offer(caller)).has(tool.extension):
            tool = None
        result: Result
        if tool is None or caller.risks.isdisjoint(tool.call_risks):
            count_rejected_call()
            error = "unknown_tool" if tool is None else PermissionDenied.code
            await self._recorder.record_rejected([params.name], caller.principal, request_id, error)
            result = error_result(unknown_tool_line(params.name, self._list.allowed(caller, await self._offer(caller))))
        else:
            caller = caller if tool.risk is Risk.READ else limit_risks(caller, await self._offer(caller))
            record = CallRecord(tool.name, tool.risk, caller.principal, request_id)
            with measure_call(record):
                result = await self._record_call(_Call(ctx, params, tool, caller, record, panel))
        if isinstance(result, types.CallToolResult) and result.is_error:
            await log_internal_error(ctx, result)
        return result

    async def _record_call(self, call: _Call) -> Result:
        """Call a tool, turn whatever goes wrong into an error result, and record how the call ended."""
        record = call.record
        try:
            with self._active_calls.running(call.ctx), call.progress.reminding():
                return await self._call(call)
            return error_result(cut_off_line(record))
        except Declined as exc:  # frameworks take errors for mistakes of the model, and let it repeat the call
            record.mark_failed(exc)
            return answer_result(NotDone(done=False, reason=f"{exc.message}; {exc.advice}"))
        except ContactsError as exc:
            record.mark_failed(exc)
            return error_result(failure_line(exc, record))
        except Exception as exc:  # noqa: BLE001 - the model reads one line; a traceback could log personal data
            _log.error("%s failed: %s", record.tool, exception_site(exc))
            record.mark_crashed()
            return error_result(internal_error_line(record.tool))
        finally:
            await self._recorder.record_end(record)

    async def _call(self, call: _Call) -> Result:
        """Validate the arguments, look up names, prepare the call, obtain consent, run the call, render its answer."""
        tool, record = call.tool, call.record
        if call.caller.risks.isdisjoint(tool.call_risks):
            scope = "read" if tool.risk is Risk.READ else "write"
            message = f"the key for the contact directory does not have the scope {scope}, which {tool.name} needs"
            raise PermissionDenied(message, advice="nothing was changed")
        given = drop_host_arguments(tool.input_schema, call.params.arguments or {})
        self._list.require_read(tool, call.caller)
        raw, token = split_token_argument(given) if self._list.takes_token(tool) else (given, None)
        parsed = parse_arguments(tool.arguments, tool.input_schema, raw)
        backend = tool.limit(self._backend_of(call))
        only_reads = tool.risk is Risk.READ
        arguments = await resolve_names(backend, parsed, only_reads=only_reads, among_deleted=tool.names_deleted)
        targets = {name: getattr(arguments, name) for name in tool.target_args}
        record.targets = {name: value for name, value in targets.items() if value is not None}
        prepared = await tool.prepare(backend, arguments)
        record.risk, record.counts, record.results = prepared.risk, prepared.counts, prepared.results
        # Before, only one of `call_risks` was checked.
        if prepared.risk is not Risk.READ and prepared.risk not in call.caller.risks:
            raise PermissionDenied("this call would do more than you may do here", advice="nothing was changed")
        consent: Verdict = Consent.NONE_NEEDED
        guarded_call = to_guarded_call(tool, prepared, parsed.bind(raw, arguments), call.caller.principal)
        asking = Asking(call.ctx, call.caller, guarded_call, record)
        if call.panel and call.panel.answer is None:
            return await self._ask_in_panel(asking)
        if call.panel or await self._needs_consent(call, guarded_call):
            asking = replace(asking, call=replace(guarded_call, needs_consent=True))  # also if it needs none by now
            answer_in_panel = call.panel and call.panel.answer
            consent = (
                await self._ladder.panel.take(asking, answer_in_panel)
                if answer_in_panel
                else await self._ladder.obtain(asking, call.params, token)
            )
        if not isinstance(consent, Consent):
            record.outcome = Outcome.ASKED
            return verdict_result(consent)
        record.consent, word = consent.value, CONSENT_WORDS[consent]
        backend.consent.is_given = word == "person"
        answer = await self._run(call, arguments, prepared)
        reports_consent = prepared.risk is not Risk.READ and self._may_ask_about(tool)
        report = ConsentReport(consent=word) if reports_consent else None
        return answer_result(answer, report, meta=self._call_meta(call, raw))

    def _call_meta(self, call: _Call, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the call for the view that shows its answer, if there is one."""
        has_view = shows_panel(call.ctx) and not call.panel and view_of(call.tool, self._guard)
        return call_meta(call.tool.name, arguments) if has_view else None

    async def _ask_in_panel(self, asking: Asking) -> Result:
        """Return the question of a call for the panel, which makes the call later; nothing is changed now."""
        call, record = asking.call, asking.record
        if not (call.needs_consent or self._guard.requires_consent(call.tool, call.risk)):
            record.risk, record.outcome = Risk.READ, Outcome.DONE  # what was only prepared is recorded like a read
            return answer_result(PanelState(needs_consent=False))
        question = await self._ladder.panel.question(asking)
        if question is None:
            record.risk, record.outcome = Risk.READ, Outcome.DONE
            return answer_result(PanelState(needs_consent=True))
        record.outcome = Outcome.ASKED
        return answer_result(PanelState(needs_consent=True), meta=question_meta(question))

    async def _needs_consent(self, call: _Call, guarded: GuardedCall) -> bool:
        """Whether a person has to agree. Once one was asked their answer counts, even if the call needs none by now."""
        if guarded.needs_consent or self._guard.requires_consent(guarded.tool, guarded.risk):
            return True
        is_plan_applied = call.tool.plans_first and guarded.risk is not Risk.READ
        return is_plan_applied and await self._ladder.has_asked(call.ctx, call.caller, guarded)

    def _may_ask_about(self, tool: Tool) -> bool:
        """Whether a person may have to agree to a call of this tool, depending on what it changes."""
        return tool.plans_first or self._guard.requires_consent(tool.name, tool.risk)

    def _backend_of(self, call: _Call) -> Backend:
        backend = self._backend_for(call.caller)
        return replace(
            backend,
            report=call.progress.report,
            may_read=Risk.READ in call.caller.risks,
            links=backend.links and replace(backend.links, url=files_url_of(call.ctx)),
            consent=CallConsent(
                can_ask=self._ladder.can_ask(call.ctx, call.caller),
                was_asked=call.params.request_state is not None or bool(call.panel and call.panel.answer),
                guarded_risks=self._guarded_risks[call.tool.name],
                has_preview=self._guard.mode is GuardMode.TWO_STEP,
                has_panel=self._ladder.panel.is_there(call.ctx),
            ),
        )

    async def _run(self, call: _Call, arguments: BaseModel, prepared: PreparedCall) -> BaseModel:
        """Run a prepared call, and notify subscribers of what it changed, also if it failed after a write."""
        await self._recorder.record_start(call.record, prepared.list_targets)
        call.record.outcome = Outcome.UNKNOWN
        try:
            answer = await prepared.run()
        except BaseException as exc:
            if call.record.has_written(exc):
                self._subscriptions.notify(call.caller.tenant, call.tool, arguments, None, prepared.touched)
            raise
        call.record.outcome = Outcome.DONE
        self._subscriptions.notify(call.caller.tenant, call.tool, arguments, answer, prepared.touched)
        return answer

    async def _offer(self, caller: Caller) -> ServiceOffer:
        """Return what the service offers to the caller."""
        try:
            backend = self._backend_for(caller)
        except LookupError:  # a caller without a key: every call fails with its own error
            return ServiceOffer()
        return await backend.offer()
