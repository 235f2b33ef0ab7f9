"""Handlers of what a client only reads: resources, prompts and completions, and their protocol errors."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from contacts_mcp.contract import ContactsError, NotFound, RateLimited, Risk, ValidationFailed
from contacts_mcp.prompts import Prompt
from contacts_mcp.resources import Completer, Completions, CompletionValues, ResourceCatalog
from contacts_mcp.server._context import (
    ActiveCalls,
    BackendFactory,
    RequestContext,
    caller_of,
    exception_site,
    invalid_params,
    is_modern,
    one_line,
    require_first_page,
)
from contacts_mcp.server._panel import read_panel_resource
from contacts_mcp.text import sanitize

T = TypeVar("T")

_RESOURCE_NOT_FOUND = -32002  # in the legacy era; the modern era uses INVALID_PARAMS
_MAX_NAME_LENGTH = 64
_MAX_COMPLETION_VALUES = 100  # the protocol's limit
_MAX_TYPED_LENGTH = 200  # no value is longer, so longer text matches none
_COMPLETION_TIMEOUT_SECONDS = 5.0
_NO_VALUES = CompletionValues([], is_complete=True)

_log = logging.getLogger(__name__)


class ResourceHandlers:
    """Handles the resources/* methods that read. A caller without READ has no resources."""

    def __init__(self, catalog: ResourceCatalog, backend_for: BackendFactory, active_calls: ActiveCalls) -> None:
        self._catalog = catalog
        self._backend_for = backend_for
        self._active_calls = active_calls

    async def list(self, ctx: RequestContext, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        caller, cursor = caller_of(ctx), params.cursor if params else None
        if Risk.READ not in caller.risks:
            require_first_page(params)
            return types.ListResourcesResult(resources=[])
        resources, next_cursor = await run_request(
            self._active_calls, ctx, lambda: self._catalog.list_page(self._backend_for(caller), cursor)
        )
        return types.ListResourcesResult(resources=resources, next_cursor=next_cursor)

    async def list_templates(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        require_first_page(params)
        templates = self._catalog.templates if Risk.READ in caller_of(ctx).risks else ()
        return types.ListResourceTemplatesResult(resource_templates=[*templates])

    async def read(self, ctx: RequestContext, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        if page := read_panel_resource(params.uri):
            return types.ReadResourceResult(contents=[page])
        caller = caller_of(ctx)

        async def read() -> types.TextResourceContents | types.BlobResourceContents:
            if Risk.READ not in caller.risks:
                raise NotFound("there is no such resource", advice="you may not read here")
            return await self._catalog.read(self._backend_for(caller), params.uri)

        contents = await run_request(self._active_calls, ctx, read, uri=params.uri)
        return types.ReadResourceResult(contents=[contents])


class PromptHandlers:
    """Handles prompts/list and prompts/get. Prompts are the same for every caller."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._prompts = {prompt.name: prompt for prompt in prompts}

    async def list(self, _ctx: RequestContext, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        require_first_page(params)
        return types.ListPromptsResult(prompts=[_listed_prompt(prompt) for prompt in self._prompts.values()])

    async def get(self, _ctx: RequestContext, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        prompt = self._prompts.get(params.name)
        if prompt is None:
            raise invalid_params(
                f"unknown_prompt: {sanitize(params.name, _MAX_NAME_LENGTH)} does not exist or is switched off here; "
                f"available prompts: {', '.join(self._prompts) or 'none'}"
            )
        try:
            text = prompt.fill(params.arguments or {})
        except ValidationFailed as exc:
            raise invalid_params(str(exc)) from None
        message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
        return types.GetPromptResult(description=prompt.description, messages=[message])


def _listed_prompt(prompt: Prompt) -> types.Prompt:
    return types.Prompt(
        name=prompt.name,
        title=prompt.title,
        description=prompt.description,
        arguments=[
            types.PromptArgument(name=argument.name, description=argument.description, required=argument.required)
            for argument in prompt.arguments
        ],
    )


class CompletionHandler:
    """Handles completion/complete. It never fails: if nothing can be suggested, the result is empty."""

    def __init__(
        self,
        completions: Completions,
        prompts: Sequence[Prompt],
        backend_for: BackendFactory,
        active_calls: ActiveCalls,
    ) -> None:
        self._completions = completions
        self._prompt_arguments = {(prompt.name, argument.name) for prompt in prompts for argument in prompt.arguments}
        self._backend_for = backend_for
        self._active_calls = active_calls

    async def complete(self, ctx: RequestContext, params: types.CompleteRequestParams) -> types.CompleteResult:
        """Suggest up to 100 values; `total` only if it is known."""
        values, is_complete = _NO_VALUES
        timeout = anyio.move_on_after(_COMPLETION_TIMEOUT_SECONDS)
        with suppress(RateLimited), timeout, self._active_calls.running(ctx):
            values, is_complete = await self._find_values(ctx, params)
        has_more = len(values) > _MAX_COMPLETION_VALUES
        return types.CompleteResult(
            completion=types.Completion(
                values=values[:_MAX_COMPLETION_VALUES],
                total=len(values) if is_complete else None,
                has_more=has_more if has_more or is_complete else None,
            )
        )

    async def _find_values(self, ctx: RequestContext, params: types.CompleteRequestParams) -> CompletionValues:
        completer = self._completer(params)
        caller, typed = caller_of(ctx), params.argument.value
        if completer is None or Risk.READ not in caller.risks or len(typed) > _MAX_TYPED_LENGTH:
            return _NO_VALUES
        try:
            return await completer(self._backend_for(caller), caller.tenant, typed)
        except ContactsError:
            return _NO_VALUES
        except Exception as exc:  # noqa: BLE001 - a missing suggestion must not disturb the person who types
            _log.error("completion failed: %s", exception_site(exc))
            return _NO_VALUES

    def _completer(self, params: types.CompleteRequestParams) -> Completer | None:
        name = params.argument.name
        if isinstance(params.ref, types.PromptReference):
            is_known = (params.ref.name, name) in self._prompt_arguments
            return self._completions.for_arguments.get(name) if is_known else None
        return self._completions.for_templates.get(params.ref.uri) if name == "id" else None


async def run_request(
    active_calls: ActiveCalls, ctx: RequestContext, work: Callable[[], Awaitable[T]], *, uri: str | None = None
) -> T:
    """Run `work` as one of the active calls; `uri` is the resource that the request is about.

    Raises MCPError if `work` failed, or the server is stopping.
    """
    try:
        with active_calls.running(ctx):
            return await work()
    except NotFound as exc:
        code = INVALID_PARAMS if is_modern(ctx) else _RESOURCE_NOT_FOUND
        raise MCPError(code, one_line(str(exc)), data={"uri": uri}) from None
    except ValidationFailed as exc:
        raise invalid_params(str(exc)) from None
    except ContactsError as exc:
        raise MCPError(INTERNAL_ERROR, one_line(str(exc))) from None
    raise MCPError(INTERNAL_ERROR, "stopping: the server is stopping; try again in a moment")
