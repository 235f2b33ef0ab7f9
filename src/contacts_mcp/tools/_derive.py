"""A tool from a call: name, text, risk, schemas and request all come from the endpoint's class."""

import inspect
from typing import Any

from pydantic import BaseModel

from contacts_mcp.contract import Call
from contacts_mcp.tools._answers import Done
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._tool import Run, Tool, run_directly


def derive_tool(
    call: type[Call[Any]],
    *,
    arguments: type[BaseModel] | None = None,
    answer: type[BaseModel] | None = None,
    run: Run | None = None,
) -> Tool:
    """The tool of one endpoint; what a tool does beyond its endpoint is handed in."""
    name = call.tool_name()
    return Tool(
        name=name,
        title=name.replace("_", " ").capitalize().replace("Gdpr", "GDPR"),
        description=inspect.cleandoc(arguments.__doc__ if arguments and arguments.__doc__ else call.__doc__ or ""),
        risk=call.risk,
        idempotent=call.idempotent,
        arguments=arguments or call,
        answer=answer or call.answer_type or Done,
        prepare=run_directly(call.risk, run or _forward),
        target_args=call.path_fields,
    )


async def _forward(backend: Backend, call: Call[Any]) -> BaseModel:
    answer = await backend.send(call)
    return answer if isinstance(answer, BaseModel) else Done(done=True)
