"""What the server does with resources/list, resources/templates/list and resources/read."""

from collections.abc import Sequence
from typing import Any, Protocol

import mcp_types as types
from mcp.server.lowlevel import Server
from pydantic import BaseModel

from contacts_mcp.contract import NotFound, Risk
from contacts_mcp.server._caller import BackendFactory, caller_of
from contacts_mcp.server._calls import Calls
from contacts_mcp.server._elicitation import Context
from contacts_mcp.server._faults import attempt, require_first_page
from contacts_mcp.server._tenants import Touched
from contacts_mcp.tools import Backend, Tool


class Resources(Protocol):
    """What there is to read, whatever it is."""

    @property
    def templates(self) -> Sequence[types.ResourceTemplate]:
        """The shapes of addresses."""
        ...

    async def page(self, backend: Backend, cursor: str | None, /) -> tuple[list[types.Resource], str | None]:
        """One page of what is listed, and the cursor of the next; a ContactsError where that cannot be had."""
        ...

    async def read(self, backend: Backend, uri: str, /) -> types.TextResourceContents:
        """What is at an address; NotFound where that is nothing, another ContactsError where it cannot be had."""
        ...

    def knows(self, uri: str, /) -> bool:
        """Whether there can be something at an address."""
        ...

    def touched(self, tool: Tool, arguments: BaseModel, answer: BaseModel, /) -> Touched:
        """What a call that succeeded has changed."""
        ...


class _Nothing:
    """No resources at all."""

    templates: Sequence[types.ResourceTemplate] = ()
    listing = False

    async def page(self, _backend: Backend, _cursor: str | None) -> tuple[list[types.Resource], str | None]:
        return [], None

    async def read(self, _backend: Backend, _uri: str) -> types.TextResourceContents:
        raise NotFound("there is no such resource")

    def knows(self, _uri: str) -> bool:
        return False

    def touched(self, _tool: Tool, _arguments: BaseModel, _answer: BaseModel) -> Touched:
        return self

    def concerns(self, _uri: str) -> bool:
        return False


NO_RESOURCES: Resources = _Nothing()
"""For a server that has none."""


class ResourceHandlers:
    """Whoever may not read has no resources."""

    def __init__(self, resources: Resources, backend_for: BackendFactory, calls: Calls) -> None:
        self._resources = resources
        self._backend_for = backend_for
        self._calls = calls

    def register(self, server: Server[Any]) -> None:
        """Have `server` answer these methods."""
        server.add_request_handler("resources/list", types.PaginatedRequestParams, self.list)
        server.add_request_handler("resources/templates/list", types.PaginatedRequestParams, self.list_templates)
        server.add_request_handler("resources/read", types.ReadResourceRequestParams, self.read)

    async def list(self, ctx: Context, params: types.PaginatedRequestParams) -> types.ListResourcesResult:
        """One page of what is listed."""
        caller = caller_of(ctx)
        if Risk.READ not in caller.risks:
            return types.ListResourcesResult(resources=[])
        work = self._resources.page(self._backend_for(caller), params.cursor)
        resources, cursor = await attempt(self._calls, ctx, work)
        return types.ListResourcesResult(resources=resources, next_cursor=cursor)

    async def list_templates(
        self, ctx: Context, params: types.PaginatedRequestParams
    ) -> types.ListResourceTemplatesResult:
        """All shapes of addresses."""
        require_first_page(params)
        templates = self._resources.templates if Risk.READ in caller_of(ctx).risks else ()
        return types.ListResourceTemplatesResult(resource_templates=list(templates))

    async def read(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """What is at an address."""
        contents = await attempt(self._calls, ctx, self._read(ctx, params.uri), uri=params.uri)
        return types.ReadResourceResult(contents=[contents])

    async def _read(self, ctx: Context, uri: str) -> types.TextResourceContents:
        caller = caller_of(ctx)
        if Risk.READ not in caller.risks:
            raise NotFound("there is no such resource", advice="reading is not among what you may do here")
        return await self._resources.read(self._backend_for(caller), uri)
