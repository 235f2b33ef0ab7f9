"""A tool that does a whole job, written by hand: its text, schemas and risk."""

from pydantic import BaseModel

from contacts_mcp.contract import Risk
from contacts_mcp.guard import PromptWording
from contacts_mcp.tools._tool import Prepare, Tool


def workflow_tool(
    name: str,
    arguments: type[BaseModel],
    answer: type[BaseModel],
    prepare: Prepare,
    *,
    risk: Risk,
    min_risk: Risk | None = None,
    idempotent: bool = True,
    target_args: tuple[str, ...] = (),
    wording: PromptWording | None = None,
) -> Tool:
    """The tool; the docstring of its arguments is what an agent reads of it."""
    return Tool(
        name=name,
        title=name.replace("_", " ").capitalize(),
        description=" ".join((arguments.__doc__ or "").split()),
        risk=risk,
        idempotent=idempotent,
        arguments=arguments,
        answer=answer,
        prepare=prepare,
        target_args=target_args,
        min_risk=min_risk,
        wording=wording,
    )
