"""tools/list and tools/call: find the tool, validate, resolve names, prepare, guard, run, render, record."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from contacts_mcp.audit import Outcome
from contacts_mcp.contract import ContactsError, PermissionDenied, Risk, ValidationFailed
from contacts_mcp.guard import CONSENT_WORDS, Consent, Declined, Guard, GuardedCall, GuardMode, Preview, Question
from contacts_mcp.middleware import CURRENT_REQUEST_ID
from contacts_mcp.server._approval_desk import to_guarded_call
from contacts_mcp.server._consent import Asking, ConsentLadder, PageAddress, PanelQuestion, Verdict, Waiting, Ways
from contacts_mcp.server._context import (
    ActiveCalls,
    BackendFactory,
    Caller,
    RequestContext,
    caller_of,
    exception_site,
    files_url_of,
    internal_error_line,
    one_line,
    request_id_of,
    require_first_page,
)
from contacts_mcp.server._elicitation import add_token_argument, address_result, question_result, split_token_argument
from contacts_mcp.server._extra_tools import ExtraTools
from contacts_mcp.server._panel import (
    PanelCall,
    PanelState,
    panel_meta,
    question_meta,
    read_panel_call,
    shows_panel,
    tools_for_panel,
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
from contacts_mcp.server._subscriptions import Subscriptions
from contacts_mcp.server._versions import progress_reporter
from contacts_mcp.text import sanitize
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
    render,
    resolve_names,
)

REQUEST_ID_META = "services.wayscloud/request-id"  # in a failed result's `_meta`; the log has the same id
_MAX_NAME_LENGTH = 64

Result = types.CallToolResult | types.InputRequiredResult

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
        self._open_world = open_world
        self._tools = {tool.name: tool for tool in tools}
        self._panel_tools = {tool.name: tool for tool in panel_tools}
        self._backend_for = backend_for
        self._guard = guard
        guarded = {tool.name for tool in tools if guard.requires_consent(tool.name, tool.risk)}
        self._two_step_tools = guarded if guard.mode is GuardMode.TWO_STEP else frozenset[str]()
        self._reading_tools = {tool.name for tool in tools if _shows_stored_data(tool, guard)}
        self._active_calls = active_calls
        self._subscriptions = subscriptions
        self._recorder = recorder

    async def list_tools(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        require_first_page(params)
        caller = caller_of(ctx)
        offer = await self._offer(caller)
        listed = [self._listed(tool, offer) for tool in self._allowed_tools(caller, offer).values()]
        if shows_panel(ctx):
            listed = [*self._with_views(listed), *self._listed_for_panel(caller, offer)]
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
        tool = self._tools.get(params.name) or (self._find_for_panel(params) if shows_panel(ctx) else None)
        if tool and tool.extension and not (await self._offer(caller)).has(tool.extension):
            tool = None
        result: Result
        if tool is None or caller.risks.isdisjoint(tool.call_risks):
            count_rejected_call()
            error = "unknown_tool" if tool is None else PermissionDenied.code
            await self._recorder.record_rejected([params.name], caller.principal, request_id, error)
            result = error_result(
                _unknown_tool_line(params.name, self._allowed_tools(caller, await self._offer(caller)))
            )
        else:
            caller = caller if tool.risk is Risk.READ else _limit(caller, await self._offer(caller))
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
            return error_result(_cut_off_line(record))
        except Declined as exc:  # frameworks take errors for mistakes of the model, and let it repeat the call
            record.mark_failed(exc)
            return answer_result(NotDone(done=False, reason=f"{exc.message}; {exc.advice}"))
        except ContactsError as exc:
            record.mark_failed(exc)
            return error_result(_failure_line(exc, record))
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
        self._require_read(tool, call.caller)
        raw, token = split_token_argument(given) if tool.name in self._two_step_tools else (given, None)
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
                await self._ladder.take_from_panel(asking, answer_in_panel)
                if answer_in_panel
                else await self._ladder.obtain(asking, call.params, token)
            )
        if not isinstance(consent, Consent):
            record.outcome = Outcome.ASKED
            return _to_result(consent)
        record.consent, word = consent.value, CONSENT_WORDS[consent]
        backend.consent.is_given = word == "person"
        answer = await self._run(call, arguments, prepared)
        reports_consent = prepared.risk is not Risk.READ and self._may_ask_about(tool)
        return answer_result(answer, ConsentReport(consent=word) if reports_consent else None)

    async def _ask_in_panel(self, asking: Asking) -> Result:
        """Return the question of a call for the panel, which makes the call later; nothing is changed now."""
        call, record = asking.call, asking.record
        if not (call.needs_consent or self._guard.requires_consent(call.tool, call.risk)):
            record.risk, record.outcome = Risk.READ, Outcome.DONE  # what was only prepared is recorded like a read
            return answer_result(PanelState(needs_consent=False))
        question = await self._ladder.ask_in_panel(asking)
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
                guarded_risks=[risk for risk in Risk if self._guard.requires_consent(call.tool.name, risk)],
                has_preview=self._guard.mode is GuardMode.TWO_STEP,
                has_panel=self._ladder.has_panel(call.ctx),
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

    def _require_read(self, tool: Tool, caller: Caller) -> None:
        """Raise PermissionDenied if the tool shows stored data, and the caller may not read."""
        if tool.name in self._reading_tools and Risk.READ not in caller.risks:
            advice = "nothing was changed; request this scope, too"
            raise PermissionDenied(f"{tool.name} shows stored data, which needs the scope contacts:read", advice=advice)

    def _allowed_tools(
        self, caller: Caller, offer: ServiceOffer, tools: Mapping[str, Tool] | None = None
    ) -> dict[str, Tool]:
        caller = _limit(caller, offer)
        hidden = frozenset[str]() if Risk.READ in caller.risks else self._reading_tools
        return {
            name: tool
            for name, tool in (self._tools if tools is None else tools).items()
            if name not in hidden and offer.has(tool.extension) and not caller.risks.isdisjoint(tool.call_risks)
        }

    def _listed(self, tool: Tool, offer: ServiceOffer) -> types.Tool:
        takes_token = tool.name in self._two_step_tools
        schema = tool.schema_for(offer)
        return types.Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=add_token_argument(schema) if takes_token else schema,
            output_schema=None if takes_token else tool.output_schema,  # a preview has another schema
            annotations=types.ToolAnnotations.model_validate(tool.annotations(open_world=self._open_world)),
        )

    def _find_for_panel(self, params: types.CallToolRequestParams) -> Tool | None:
        """Return a tool of the panel, if its call is not about a tool that is switched off."""
        about = (params.arguments or {}).get("tool")
        return self._panel_tools.get(params.name) if about is None or str(about) in self._tools else None

    def _with_views(self, listed: Sequence[types.Tool]) -> Iterator[types.Tool]:
        """Add to each tool the view of the panel that shows its calls."""
        for each in listed:
            view = view_of(self._tools[each.name], self._guard)
            yield each.model_copy(update={"meta": panel_meta(view)}) if view else each

    def _listed_for_panel(self, caller: Caller, offer: ServiceOffer) -> Iterator[types.Tool]:
        """List the tools that exist only for hosts with a panel."""
        for tool in self._allowed_tools(caller, offer, self._panel_tools).values():
            yield self._listed(tool, offer).model_copy(update={"meta": panel_meta(tool.view, for_panel=tool.for_panel)})
        if any(tool.risk is not Risk.READ for tool in self._tools.values()):
            yield from tools_for_panel()


def _limit(caller: Caller, offer: ServiceOffer) -> Caller:
    """Return the caller without the risks that the key for the service does not allow."""
    risks = caller.risks & offer.risks
    return caller if risks == caller.risks else replace(caller, risks=risks)


def _shows_stored_data(tool: Tool, guard: Guard) -> bool:
    """Whether calls of a tool show stored data to a caller who may not read: in a plan, an answer or a question."""
    return tool.shows_stored_data or (bool(tool.target_args) and guard.requires_consent(tool.name, tool.risk))


def _to_result(verdict: Question | PanelQuestion | PageAddress | Preview | Waiting) -> Result:
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


def _cut_off_line(record: CallRecord) -> str:
    """The error of a call that the transport or the stopping server cancelled."""
    if record.outcome is Outcome.NOT_RUN or record.risk is Risk.READ:
        return "stopping: the server is stopping; nothing was changed; call again in a moment"
    if record.counts:
        return f"stopping: the server is stopping; {record.counts}; call again in a moment to go on from there"
    return "stopping: the server is stopping; the change may have been made; read the record back before repeating it"


def _failure_line(error: ContactsError, record: CallRecord) -> str:
    """Return the line of an error, with the counts of what a bulk call did before it."""
    if not record.counts:
        return str(error)
    return f"{error.code}: {error.message}; until then {record.counts}; call again to do the rest"


def _unknown_tool_line(name: str, tools: Mapping[str, Tool]) -> str:
    return (
        f"unknown_tool: {sanitize(name, _MAX_NAME_LENGTH)} does not exist or is switched off here; "
        f"nothing was changed; available tools: {', '.join(tools)}"
    )
