"""What a tool is: data. A tool is derived from an endpoint's call (`_endpoints.py`) or written by hand."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from contacts_mcp.contract import Risk
from contacts_mcp.guard import PromptWording, Target
from contacts_mcp.tools._arguments import input_schema, output_schema
from contacts_mcp.tools._backend import Backend


class JobCounts(Counter[str]):
    """What a running job has done so far: counts by result. `to_do` is the job's size, if known."""

    to_do: int | None = None

    def __str__(self) -> str:
        of = "" if self.to_do is None else f" of {self.to_do:,}"
        counts = ", ".join(f"{count:,} {result.replace('_', ' ')}" for result, count in self.items() if count)
        return f"{self.total():,}{of} done" + (f": {counts}" if counts else "")


async def _read_no_target() -> Target:
    raise NotImplementedError("a call that changes something must describe its target")


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """One call of a tool, prepared as far as is needed to know its effect; nothing is changed before `run`.

    Attributes:
        risk: this call's own risk, which may be lower than the tool's.
        run: makes the call and returns an instance of the tool's `answer`.
        read_target: reads what the call changes, for the guard's question; calls that only read need none.
        counts: what was done so far, also after a cancellation.
    """

    risk: Risk
    run: Callable[[], Awaitable[BaseModel]]
    read_target: Callable[[], Awaitable[Target]] = _read_no_target
    counts: JobCounts = field(default_factory=JobCounts)


Prepare = Callable[[Backend, Any], Awaitable[PreparedCall]]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool of the catalog; its description is the docstring of its arguments' model.

    Attributes:
        risk: the highest risk that a call can have; it decides the annotations.
        idempotent: whether a repeated call leaves the directory as the first call did.
        prepare: prepares a call with the backend and the validated arguments.
        target_args: the arguments with the ids of the records that the call is about.
        min_risk: the lowest risk of a call that changes something, if lower than `risk`.
        wording: how a person is asked, if not by the risk's own wording.
    """

    name: str
    risk: Risk
    arguments: type[BaseModel]
    answer: type[BaseModel]
    prepare: Prepare
    idempotent: bool = True
    target_args: tuple[str, ...] = ()
    min_risk: Risk | None = None
    wording: PromptWording | None = None

    def is_allowed(self, risks: Collection[Risk]) -> bool:
        """Whether a caller who may make calls of these risks can use the tool, at least in part."""
        return self.risk in risks or self.min_risk in risks

    @cached_property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize().replace("Gdpr", "GDPR")

    @cached_property
    def description(self) -> str:
        return " ".join((self.arguments.__doc__ or "").split())

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        return input_schema(self.arguments)

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        return output_schema(self.answer)

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """MCP's tool annotations, all of which follow from the risk and from `idempotent`."""
        return {
            "title": self.title,
            "readOnlyHint": self.risk is Risk.READ,
            "destructiveHint": self.risk in (Risk.DESTROY, Risk.ERASE),
            "idempotentHint": self.idempotent,
            "openWorldHint": False,  # the tools reach one directory only
        }


def run_directly(run: Callable[[Backend, Any], Awaitable[BaseModel]]) -> Prepare:
    """Prepare calls of a READ tool, which need no preparation."""

    async def prepare(backend: Backend, arguments: Any) -> PreparedCall:
        return PreparedCall(Risk.READ, lambda: run(backend, arguments))

    return prepare
