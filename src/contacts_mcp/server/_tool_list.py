"""The tools of a server: which ones a caller sees, may call and can find, and what a host with a panel gets beside."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import mcp_types as types

from contacts_mcp.contract import PermissionDenied, Risk
from contacts_mcp.guard import Guard, GuardMode
from contacts_mcp.server._context import Caller
from contacts_mcp.server._elicitation import add_token_argument
from contacts_mcp.server._panel import panel_meta, tools_for_panel, view_of
from contacts_mcp.tools import ServiceOffer, Tool


class ToolList:
    """The tools that are switched on, as each caller sees them. `panel_tools` exist only for hosts with a panel."""

    def __init__(
        self, tools: Sequence[Tool], guard: Guard, *, open_world: bool, panel_tools: Sequence[Tool] = ()
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._panel_tools = {tool.name: tool for tool in panel_tools}
        self._guard = guard
        self._open_world = open_world
        guarded = {tool.name for tool in tools if guard.requires_consent(tool.name, tool.risk)}
        self._two_step_tools = guarded if guard.mode is GuardMode.TWO_STEP else frozenset[str]()
        self._reading_tools = {tool.name for tool in tools if _shows_stored_data(tool, guard)}

    def takes_token(self, tool: Tool) -> bool:
        """Whether a call of the tool is made in two steps, the second of which brings a token."""
        return tool.name in self._two_step_tools

    def find(self, name: str, arguments: Mapping[str, Any] | None, *, has_panel: bool) -> Tool | None:
        """Return the tool of a call; None if there is none.

        A tool of the panel is not found either if the call is about a tool that is switched off.
        """
        if (tool := self._tools.get(name)) or not has_panel:
            return tool
        about = (arguments or {}).get("tool")
        return self._panel_tools.get(name) if about is None or str(about) in self._tools else None

    def allowed(self, caller: Caller, offer: ServiceOffer) -> dict[str, Tool]:
        """Return the tools that a caller may call, by name."""
        return self._choose(self._tools, caller, offer)

    def require_read(self, tool: Tool, caller: Caller) -> None:
        """Raise PermissionDenied if the tool shows stored data, and the caller may not read."""
        if tool.name in self._reading_tools and Risk.READ not in caller.risks:
            advice = "nothing was changed; request this scope, too"
            raise PermissionDenied(f"{tool.name} shows stored data, which needs the scope contacts:read", advice=advice)

    def list(self, caller: Caller, offer: ServiceOffer, *, has_panel: bool) -> list[types.Tool]:
        """List the tools as the protocol does."""
        tools = self.allowed(caller, offer).values()
        if not has_panel:
            return [self._to_mcp(tool, offer) for tool in tools]
        return [*self._with_views(tools, offer), *self._for_panel(caller, offer)]

    def _choose(self, tools: Mapping[str, Tool], caller: Caller, offer: ServiceOffer) -> dict[str, Tool]:
        risks = limit_risks(caller, offer).risks
        hidden = frozenset[str]() if Risk.READ in risks else self._reading_tools
        return {
            name: tool
            for name, tool in tools.items()
            if name not in hidden and offer.has(tool.extension) and not risks.isdisjoint(tool.call_risks)
        }

    def _with_views(self, tools: Iterable[Tool], offer: ServiceOffer) -> Iterator[types.Tool]:
        """List each tool with the view of the panel that shows its calls."""
        for tool in tools:
            listed, view = self._to_mcp(tool, offer), view_of(tool, self._guard)
            yield listed.model_copy(update={"meta": panel_meta(view)}) if view else listed

    def _for_panel(self, caller: Caller, offer: ServiceOffer) -> Iterator[types.Tool]:
        """List the tools that exist only for hosts with a panel."""
        for tool in self._choose(self._panel_tools, caller, offer).values():
            meta = panel_meta(tool.view, for_panel=tool.for_panel)
            yield self._to_mcp(tool, offer).model_copy(update={"meta": meta})
        if any(tool.risk is not Risk.READ for tool in self._tools.values()):
            yield from tools_for_panel()

    def _to_mcp(self, tool: Tool, offer: ServiceOffer) -> types.Tool:
        takes_token = self.takes_token(tool)
        schema = tool.schema_for(offer)
        return types.Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=add_token_argument(schema) if takes_token else schema,
            output_schema=None if takes_token else tool.output_schema,  # a preview has another schema
            annotations=types.ToolAnnotations.model_validate(tool.annotations(open_world=self._open_world)),
        )


def limit_risks(caller: Caller, offer: ServiceOffer) -> Caller:
    """Return the caller without the risks that the key for the service does not allow."""
    risks = caller.risks & offer.risks
    return caller if risks == caller.risks else replace(caller, risks=risks)


def _shows_stored_data(tool: Tool, guard: Guard) -> bool:
    """Whether calls of a tool show stored data to a caller who may not read: in a plan, an answer or a question."""
    return tool.shows_stored_data or (bool(tool.target_args) and guard.requires_consent(tool.name, tool.risk))
