"""What the server does with prompts/list and prompts/get."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import mcp_types as types
from mcp.server.lowlevel import Server

from contacts_mcp.contract import ValidationFailed
from contacts_mcp.server._elicitation import Context
from contacts_mcp.server._faults import invalid, require_first_page
from contacts_mcp.text import sanitize

_NAME_LIMIT = 64


class Argument(Protocol):
    """Something a person fills in."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def required(self) -> bool: ...


class Prompt(Protocol):
    """A text for a job."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def arguments(self) -> Sequence[Argument]: ...

    def fill(self, given: Mapping[str, str]) -> str:
        """The text; ValidationFailed where an argument is missing, or is none of the prompt's."""
        ...


class PromptHandlers:
    """Prompts are texts, and the same for every caller."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._prompts = {prompt.name: prompt for prompt in prompts}

    def register(self, server: Server[Any]) -> None:
        """Have `server` answer these methods."""
        server.add_request_handler("prompts/list", types.PaginatedRequestParams, self.list)
        server.add_request_handler("prompts/get", types.GetPromptRequestParams, self.get)

    async def list(self, _ctx: Context, params: types.PaginatedRequestParams) -> types.ListPromptsResult:
        """All prompts."""
        require_first_page(params)
        return types.ListPromptsResult(prompts=[_listed(prompt) for prompt in self._prompts.values()])

    async def get(self, _ctx: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        """One prompt's text, filled in."""
        prompt = self._prompts.get(params.name)
        if prompt is None:
            raise invalid(
                f"unknown_prompt: {sanitize(params.name, _NAME_LIMIT)} does not exist or is switched off here; "
                f"there are {', '.join(self._prompts) or 'none'}"
            )
        try:
            text = prompt.fill(params.arguments or {})
        except ValidationFailed as exc:
            raise invalid(str(exc)) from None
        message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
        return types.GetPromptResult(description=prompt.description, messages=[message])


def _listed(prompt: Prompt) -> types.Prompt:
    return types.Prompt(
        name=prompt.name,
        title=prompt.title,
        description=prompt.description,
        arguments=[
            types.PromptArgument(name=argument.name, description=argument.description, required=argument.required)
            for argument in prompt.arguments
        ],
    )
