"""Plan first, then apply: what would change, by a fingerprint that no longer fits once something differs."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from contacts_mcp.contract import Conflict, Risk, Text
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.tools._backend import Backend, refuse
from contacts_mcp.tools._job_counts import JobCounts
from contacts_mcp.tools._tool import PreparedCall

_LENGTH = 16
MANY = 25
"""Contacts from which on a change of them all is put to a person."""


class Planned(BaseModel):
    """The arguments of a tool that plans first."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    apply: bool = Field(default=False, description="Do it; without, only the plan is shown.")
    plan: Text | None = Field(default=None, description="With apply: the plan's fingerprint.")


class Plan(Protocol):
    """What a call would do. `changes` is how many changes that takes at most."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def changes(self) -> int: ...

    @property
    def risk(self) -> Risk: ...

    def shown(self) -> BaseModel:
        """The answer where it is only shown."""
        ...

    def target(self) -> Target:
        """What a person is told of it, where they have to be asked."""
        ...

    async def carry_out(self, backend: Backend, counts: JobCounts) -> BaseModel:
        """Do it, and count what was done; the answer."""
        ...


P = TypeVar("P")


class RefreshingPlan(Generic[P]):
    """Something that is looked up once more each time it is asked for, but for the first: then it is fresh still."""

    def __init__(self, value: P, look: Callable[[], Awaitable[P]]) -> None:
        self.value = value
        self._look = look
        self._asked = False

    async def __call__(self) -> P:
        """What is so now; `value` is what was so the last time."""
        if self._asked:
            self.value = await self._look()
        self._asked = True
        return self.value


PlanT = TypeVar("PlanT", bound=Plan)


async def plan_or_apply(backend: Backend, arguments: Planned, look: Callable[[], Awaitable[PlanT]]) -> PreparedCall:
    """The job of a call that shows the plan which `look` makes, or carries it out.

    Raises:
        ValidationFailed: there is no fingerprint of the plan to apply.
        Conflict: the plan is another one now.
        WriteBudgetExceeded: it takes more changes than the caller has left.
    """
    if arguments.apply and arguments.plan is None:
        raise refuse("plan", "is required with apply", "call without apply first, and show the person the plan")
    plan = await look()
    if not arguments.apply:
        return PreparedCall(Risk.READ, _answer(plan.shown()))
    if arguments.plan != plan.fingerprint:
        raise Conflict(
            "what there is to do is not what that plan says (any more)",
            advice="nothing was changed; call again without apply, and look at the new plan",
        )
    backend.budget.require(plan.changes)
    fresh, counts = RefreshingPlan(plan, look), JobCounts()

    async def read_target() -> Target:
        return (await fresh()).target()

    return PreparedCall(plan.risk, lambda: fresh.value.carry_out(backend, counts), read_target, counts)


def _answer(answer: BaseModel) -> Callable[[], Awaitable[BaseModel]]:
    async def run() -> BaseModel:
        return answer

    return run


def fingerprint_of(arguments: Planned, steps: Iterable[Any]) -> str:
    """The fingerprint of a plan: of what was asked for, and of each thing that it would do."""
    asked = arguments.model_dump(mode="json", exclude_unset=True, exclude={"apply", "plan"})
    seen = hashlib.sha256(hash_json(asked).encode())
    for step in steps:
        seen.update(repr(step).encode("utf-8", "surrogatepass"))
    return seen.hexdigest()[:_LENGTH]
