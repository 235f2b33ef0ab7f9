"""What a tool is: data, derived from a call or written by hand."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from contacts_mcp.contract import Risk
from contacts_mcp.guard import PromptWording, Target
from contacts_mcp.tools._backend import Backend
from contacts_mcp.tools._job_counts import JobCounts
from contacts_mcp.tools._schema import input_schema, output_schema


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """One call of a tool, looked into as far as it takes to say what it would do.

    `risk` is this call's own, which may be less than its tool's. `read_target` says for the guard what the call is
    about, each time afresh; None where the records that the arguments name are all there is to say. `counts` counts
    what was done, also where the call is cut off half-way.
    """

    risk: Risk
    run: Callable[[], Awaitable[BaseModel]]
    read_target: Callable[[], Awaitable[Target]] | None = None
    counts: JobCounts = field(default_factory=JobCounts)


Run = Callable[[Backend, Any], Awaitable[BaseModel]]
Prepare = Callable[[Backend, Any], Awaitable[PreparedCall]]


@dataclass(frozen=True)
class Tool:
    """A tool of the catalog. `risk`, the gravest that a call of it can have, decides its annotations.

    `prepare` takes the backend and validated `arguments` and returns the PreparedCall, whose run returns an instance of
    `answer`; nothing is changed before that.
    """

    name: str
    title: str
    description: str
    risk: Risk
    idempotent: bool
    arguments: type[BaseModel]
    answer: type[BaseModel]
    prepare: Prepare
    target_args: tuple[str, ...] = ()
    """The arguments that say which records the call is about."""
    min_risk: Risk | None = None
    """The least risk at which the tool is of use, where that is less than `risk`."""
    wording: PromptWording | None = None
    """How a person is asked about it, where that is not by its risk."""

    def is_allowed(self, risks: Collection[Risk]) -> bool:
        """Whether somebody who may do things of these risks can use it, if not all of it."""
        return self.risk in risks or self.min_risk in risks

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.arguments)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        return output_schema(self.answer)

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """MCP's annotations: what a host may show, all from the risk and from what a repetition does."""
        return {
            "title": self.title,
            "readOnlyHint": self.risk is Risk.READ,
            "destructiveHint": self.risk in (Risk.DESTROY, Risk.ERASE),
            "idempotentHint": self.idempotent,
            "openWorldHint": False,  # one directory, not the world
        }


def run_directly(risk: Risk, run: Run) -> Prepare:
    """A preparation for calls of which their arguments say everything."""

    async def prepare(backend: Backend, arguments: Any) -> PreparedCall:
        return PreparedCall(risk, lambda: run(backend, arguments))

    return prepare
