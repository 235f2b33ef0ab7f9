"""How many changes a caller may make in an hour: what stops a runaway, whatever tool it runs away with."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from contacts_mcp.contract import AddGroupMembers, BatchContacts, Call, ContactsError, Risk

_HOUR = 3600.0
_MINUTE = 60.0
_MOST_CALLERS = 4_096


class WriteBudgetExceeded(ContactsError):
    """The call would make more changes than are left; it made none of them."""

    code = "write_budget"

    def __init__(self, wanted: int, left: int, limit: int, seconds: float) -> None:
        super().__init__(
            f"this takes {wanted:,} changes, and {max(left, 0):,} of the {limit:,} an hour are left",
            advice=f"nothing more was changed; there are more in {max(1, round(seconds / _MINUTE))} minutes, "
            "and the operator decides about the limit (CONTACTS_MCP_WRITE_BUDGET)",
        )


class WriteBudget:
    """The changes of one caller within the last hour, to the minute; `limit` 0 lets any number through."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._spent: OrderedDict[float, int] = OrderedDict()

    def require(self, changes: int) -> None:
        """Raise WriteBudgetExceeded where so many are not left; takes nothing."""
        if not self._limit or not changes:
            return
        now = self._clock()
        while self._spent and next(iter(self._spent)) <= now - _HOUR:
            self._spent.popitem(last=False)
        left = self._limit - sum(self._spent.values())
        if changes > left:
            oldest = next(iter(self._spent), now)
            raise WriteBudgetExceeded(changes, left, self._limit, oldest + _HOUR - now)

    def spend(self, call: Call[Any]) -> None:
        """Take what a call will change. Raises WriteBudgetExceeded where that is not left."""
        changes = changes_of(call)
        self.require(changes)
        if changes and self._limit:
            minute = self._clock() // _MINUTE * _MINUTE
            self._spent[minute] = self._spent.get(minute, 0) + changes


class WriteBudgets:
    """A budget for each caller; who has changed nothing for long is forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._of: OrderedDict[str, WriteBudget] = OrderedDict()

    def for_caller(self, principal: str) -> WriteBudget:
        """The budget of this caller."""
        budget = self._of.setdefault(principal, WriteBudget(self._limit))
        self._of.move_to_end(principal)
        if len(self._of) > _MOST_CALLERS:
            self._of.popitem(last=False)
        return budget


def changes_of(call: Call[Any]) -> int:
    """How many changes a call makes at the most."""
    if call.risk is Risk.READ:
        return 0
    match call:
        case AddGroupMembers():
            return len(call.contact_ids)
        case BatchContacts():
            return len(call.creates) + len(call.updates)
        case _:
            return 1
