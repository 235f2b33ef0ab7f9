"""A tool that does a whole job, written by hand: its text, schemas and risk."""

from pydantic import BaseModel

from contacts_mcp.contract import Risk
from contacts_mcp.guard import Act
from contacts_mcp.tools._tool import Prepare, Tool


def workflow_tool(
    name: str,
    arguments: type[BaseModel],
    answer: type[BaseModel],
    prepare: Prepare,
    *,
    risk: Risk,
    least: Risk | None = None,
    repeatable: bool = True,
    aims: tuple[str, ...] = (),
    act: Act | None = None,
) -> Tool:
    """The tool; the docstring of its arguments is what an agent reads of it."""
    return Tool(
        name=name,
        title=name.replace("_", " ").capitalize(),
        description=" ".join((arguments.__doc__ or "").split()),
        risk=risk,
        repeatable=repeatable,
        arguments=arguments,
        answer=answer,
        prepare=prepare,
        aims=aims,
        least=least,
        act=act,
    )
