"""How many changes a caller may make in an hour without a person who agrees in a form."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from cachetools import LRUCache

from contacts_mcp.contract import (
    AddGroupMembers,
    BatchContacts,
    Call,
    ContactsError,
    EraseRecords,
    MergeRecords,
    Risk,
    UndoUpdate,
)

_PERIOD_SECONDS = 3600.0
_MINUTE_SECONDS = 60.0
_MAX_BUDGETS = 4_096


class WriteBudgetExceeded(ContactsError):
    """The call would make more changes than the caller has left; it made none of them.

    Attributes:
        wanted: the changes of the call.
        left: the changes that are left of `limit`.
    """

    code = "write_budget"

    def __init__(self, wanted: int, left: int, limit: int, seconds: float) -> None:
        self.wanted, self.left, self.limit = wanted, max(left, 0), limit
        super().__init__(
            f"this call makes {wanted:,} changes, but only {self.left:,} of {limit:,} per hour are left",
            advice=f"nothing more was changed; try again in {max(1, round(seconds / _MINUTE_SECONDS))} minutes, "
            "or ask the operator to raise the limit (CONTACTS_MCP_WRITE_BUDGET)",
        )


class WriteBudget:
    """The number of changes that one caller may make in an hour, counted by the minute. A `limit` of 0 means no limit.

    It stops a runaway agent, whichever tools it uses. What a person agreed to in a form does not count.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._spent: OrderedDict[float, int] = OrderedDict()

    def require(self, changes: int) -> None:
        """Raise WriteBudgetExceeded if fewer changes are left; spends nothing."""
        if not self._limit or not changes:
            return
        now = self._clock()
        while self._spent and next(iter(self._spent)) <= now - _PERIOD_SECONDS:
            self._spent.popitem(last=False)
        left = self._limit - sum(self._spent.values())
        if changes > left:
            oldest = next(iter(self._spent), now)
            raise WriteBudgetExceeded(changes, left, self._limit, oldest + _PERIOD_SECONDS - now)

    def spend(self, call: Call[Any]) -> None:
        """Count the changes that a call makes. Raises WriteBudgetExceeded if fewer are left."""
        if not self._limit or call.risk is Risk.READ:
            return
        match call:
            case AddGroupMembers():
                changes = len(call.contact_ids)
            case BatchContacts():
                changes = len(call.creates) + len(call.updates)
            case MergeRecords():
                changes = len(call.merge_ids)
            case UndoUpdate():
                changes = call.contacts
            case EraseRecords():
                changes = 1 + len(call.also_erase)
            case _:
                changes = 1
        self.require(changes)
        minute = self._clock() // _MINUTE_SECONDS * _MINUTE_SECONDS
        self._spent[minute] = self._spent.get(minute, 0) + changes


class WriteBudgets:
    """A write budget for each caller; the least recently used one is forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_caller: LRUCache[str, WriteBudget] = LRUCache(_MAX_BUDGETS)

    def for_caller(self, principal: str) -> WriteBudget:
        return self._by_caller.setdefault(principal, WriteBudget(self._limit))
