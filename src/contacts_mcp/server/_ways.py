"""The ways to reach a person that an operator allows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from contacts_mcp.guard import ANSWER_LIFETIME_SECONDS, Approval, Rung
from contacts_mcp.server._context import RequestContext

HOLD_SECONDS = 45.0
"""How long a call waits for a person: hosts end a call after about 60 seconds."""


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to reach a person that the operator allows.

    Attributes:
        rungs: the ways, the first to be tried first; a form comes before all others, then the panel.
        open_page: opens an approval's page in the browser of this computer, unless it is open; False if it cannot be.
        page_url: returns the address of an approval's page, for a person who reaches the server over the network.
        announce: tells approvers that an approval is pending.
        lifetime_seconds: how long an approval can be decided on.
        hold_seconds: how long a call waits for a person before it is answered without a decision.
    """

    rungs: Sequence[Rung] = (Rung.FORM,)
    open_page: Callable[[Approval], Awaitable[bool]] | None = None
    page_url: Callable[[RequestContext, Approval], str | None] | None = None
    announce: Callable[[Approval], Awaitable[None]] | None = None
    lifetime_seconds: float = ANSWER_LIFETIME_SECONDS
    hold_seconds: float = HOLD_SECONDS
