"""Two-step bulk tools: the first call returns a plan, the second applies it if nothing has changed since."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Protocol

import anyio.to_thread
from pydantic import BaseModel, Field

from contacts_mcp.contract import Conflict, Risk, Text, invalid_field
from contacts_mcp.guard import Target, hash_json
from contacts_mcp.tools._arguments import Arguments
from contacts_mcp.tools._job import JobClient
from contacts_mcp.tools._tool import Backend, CallConsent, JobCounts, Prepare, PreparedCall
from contacts_mcp.tools._write_budget import WriteBudgetExceeded
from contacts_mcp.wording import count

CONFIRM_FROM_CONTACTS = 25  # changing this many contacts in one call needs a person's confirmation
FINGERPRINT_LENGTH = 16
_NEXT_STEP = "repeat the call with apply and this plan if the person asked for exactly this; else show it first"

_SHOWN_IN_PANEL = (
    "the person sees this plan in a panel, and can apply it there; repeat the call with apply and this plan only if"
    " they ask you to"
)

Applied = Annotated[bool, Field(description="False: only a plan; each count says what applying it would do.")]


class PlanArguments(Arguments):
    """The arguments of a two-step tool."""

    apply: bool = Field(default=False, description="False shows the plan.")
    plan: Text | None = Field(default=None, description="With apply and the same arguments: the plan's id.")


class Plan(Protocol):
    """The changes that a call would make."""

    @property
    def risk(self) -> Risk: ...

    def to_target(self) -> Target:
        """Return what the question to a person is about, if applying the plan needs consent."""
        ...

    def list_targets(self) -> Sequence[str]:
        """List the ids of the contacts that are changed, but for those that are created."""
        ...

    async def apply(self, client: JobClient, counts: JobCounts) -> BaseModel:
        """Apply the plan, counting what was done; return the answer."""
        ...


class ShownPlan(Plan, Protocol):
    """A plan that is shown before it is applied."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def change_count(self) -> int:
        """Upper limit of the changes that applying the plan makes."""
        ...

    def to_answer(self, **fields: str | None) -> BaseModel:
        """Return the answer of a call that only shows the plan; `fields` are its `plan` and `next`."""
        ...


def plan_or_apply(make_plan: Callable[[JobClient, Any], Awaitable[ShownPlan]]) -> Prepare:
    """Prepare calls that show a plan or apply it.

    Raises:
        ValidationFailed: `apply` is given without a plan's fingerprint.
        Conflict: the current plan has another fingerprint.
        WriteBudgetExceeded: the plan makes more changes than the caller's write budget allows, and no person can be
            asked. If one can be asked, applying the plan needs that person's consent.
    """

    async def prepare(backend: Backend, arguments: Any) -> PreparedCall:
        if arguments.apply and arguments.plan is None:
            advice = "call without apply first: that returns the plan"
            raise invalid_field("plan", "is required with apply", advice)
        plan = await make_plan(JobClient(backend), arguments)
        excess = await anyio.to_thread.run_sync(_find_excess, plan, backend)
        if not arguments.apply:
            return PreparedCall(Risk.READ, lambda: _show(plan, excess, backend.consent))
        if arguments.plan != plan.fingerprint:
            raise Conflict(
                "the plan no longer fits: the contacts, the file or the arguments differ",
                advice="nothing was changed; call again without apply, and check the new plan",
            )
        if excess and not backend.consent.can_ask:
            raise excess
        prepared = await prepare_apply(plan, make_plan, backend, arguments)
        # An answer counts even if the budget has become large enough since the question: it may be a no.
        needs_consent = excess is not None or backend.consent.was_asked
        return replace(prepared, needs_consent=needs_consent, read_target=_naming_excess(prepared.read_target, excess))

    return prepare


def _find_excess(plan: ShownPlan, backend: Backend) -> WriteBudgetExceeded | None:
    """Return why the budget does not allow a plan, if it does not."""
    try:
        backend.budget.require(plan.change_count)
    except WriteBudgetExceeded as exc:
        return exc
    return None


def _naming_excess(
    read_target: Callable[[], Awaitable[Target]], excess: WriteBudgetExceeded | None
) -> Callable[[], Awaitable[Target]]:
    """Return a function that reads the target, whose question says that the plan exceeds the budget if it does."""

    async def read() -> Target:
        target = await read_target()
        if excess is None:
            return target
        why = f"These are {excess.wanted:,} changes; {excess.left:,} are left in this hour without a person's consent."
        return replace(target, effect="\n".join(filter(None, (target.effect, why))))

    return read


async def prepare_apply(
    plan: Plan, make_plan: Callable[[JobClient, Any], Awaitable[Plan]], backend: Backend, arguments: Any
) -> PreparedCall:
    """Prepare the application of a plan. The plan is recomputed each time its target is read, except the first time.

    What counts all steps of a plan runs in a worker thread.
    """
    counts, is_new = JobCounts(), True
    risk = await anyio.to_thread.run_sync(lambda: plan.risk)

    async def read_target() -> Target:
        nonlocal plan, is_new
        plan = plan if is_new else await make_plan(JobClient(backend), arguments)
        is_new = False
        return await anyio.to_thread.run_sync(plan.to_target)

    return PreparedCall(
        risk,
        lambda: plan.apply(JobClient(backend), counts),
        read_target,
        counts,
        results={"created_ids": counts.created_ids},
        list_targets=lambda: plan.list_targets(),  # noqa: PLW0108 - the plan may be replaced until then
    )


def risk_of_updates(contacts: int, overwrites: Mapping[str, int]) -> Risk:
    """Return DESTROY if many contacts change or existing values are overwritten; creating contacts loses nothing."""
    return Risk.DESTROY if contacts >= CONFIRM_FROM_CONTACTS or overwrites else Risk.WRITE


def describe_overwrites(overwrites: Mapping[str, int]) -> str:
    """Describe for the question which values are overwritten; `overwrites` counts contacts by field."""
    lost = ", ".join(f"{name} of {count(number, 'contact')}" for name, number in overwrites.items())
    return f"Existing values are overwritten: {lost}." if lost else ""


async def _show(plan: ShownPlan, excess: WriteBudgetExceeded | None, consent: CallConsent) -> BaseModel:
    """Return the answer that shows a plan, which counts all of its steps, and so is made in a worker thread."""
    return await anyio.to_thread.run_sync(_to_answer, plan, excess, consent)


def _to_answer(plan: ShownPlan, excess: WriteBudgetExceeded | None, consent: CallConsent) -> BaseModel:
    """Return the answer that shows a plan. An empty plan has no fingerprint, because it cannot be applied."""
    if not plan.change_count:
        return plan.to_answer(plan=None, next="nothing would change; there is nothing to apply")
    next_step = _SHOWN_IN_PANEL if consent.has_panel else _describe_next_step(plan, excess, consent)
    return plan.to_answer(plan=plan.fingerprint, next=next_step)


def _describe_next_step(plan: ShownPlan, excess: WriteBudgetExceeded | None, consent: CallConsent) -> str:
    """Say how the plan is applied and whether the person is asked then: they need not be asked twice."""
    if excess and not consent.can_ask:
        return f"cannot be applied now: {excess.message}; {excess.advice}"
    if excess:
        why = f", as only {excess.left:,} changes are left in this hour without consent"
        return f"{_NEXT_STEP}; a form then asks the person{why}"
    if plan.risk not in consent.guarded_risks:
        return _NEXT_STEP
    if consent.can_ask:
        return f"{_NEXT_STEP}; a form then asks the person"
    if consent.has_preview:
        return f"{_NEXT_STEP}; the call then returns a question to show to the person"
    return "cannot be applied here: it needs a person's consent, and no person can be asked here"


async def fingerprint_plan(arguments: PlanArguments, steps: Iterable[Any]) -> str:
    """Fingerprint a plan: its arguments and each of its steps."""
    return await anyio.to_thread.run_sync(_fingerprint, arguments, steps)


def _fingerprint(arguments: PlanArguments, steps: Iterable[Any]) -> str:
    selection = arguments.model_dump(mode="json", exclude_unset=True, exclude={"apply", "plan"})
    fingerprint = hashlib.sha256(hash_json(selection).encode())
    for step in steps:
        fingerprint.update(repr(step).encode("utf-8", "surrogatepass"))
    return fingerprint.hexdigest()[:FINGERPRINT_LENGTH]
