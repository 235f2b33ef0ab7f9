"""An attack on the guard: what was there before, what was answered, and how the two are judged."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from support.raw_hosts import Message
from support.trust_summary import Tried
from trust.rig import Rig, check_refusal, rig

REFUSED = "guard attacks refused"


class Attack:
    """What was answered to an attack, and what was in the directory before it."""

    def __init__(self, here: Rig) -> None:
        self._here = here
        self.answers: list[Message] = []
        self.begin()

    def begin(self) -> None:
        """From here on nothing may change."""
        self.before = self._here.contents()
        self._here.writes.clear()

    def check(self, *given: str) -> None:
        """Nothing was changed nor even tried, and the answers are refusals. `given` are words of the caller's own."""
        assert self.answers
        for each in self.answers:
            check_refusal(each, *given)
        self.check_nothing_changed()

    def check_nothing_changed(self) -> None:
        """Neither done nor even tried."""
        assert self._here.writes == []
        assert self._here.contents() == self.before


Refused = Callable[..., AbstractContextManager[Attack]]


@pytest.fixture
def refused(here: Rig, tried: Tried) -> Refused:
    """Hold what an attack left against what was there."""

    @contextmanager
    def refused(*given: str) -> Iterator[Attack]:
        attack = Attack(here)
        yield attack
        attack.check(*given)
        tried(REFUSED, len(attack.answers))

    return refused


@pytest.fixture
async def here() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made
