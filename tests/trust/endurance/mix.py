"""What somebody does in what proportion, so that there are never many more people and groups than there were."""

from collections.abc import Awaitable, Callable

from trust.endurance import changes, reads, vain
from trust.endurance.lane import Lane

_FEWEST, _MOST = 8, 16
_FEWEST_GROUPS, _MOST_GROUPS = 2, 4

PromptWording = Callable[[Lane], Awaitable[None]]


class Work:
    """All kinds of calls of one lane, by turns and at random."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._impatience = vain.Impatience(lane)

    async def go_on(self, calls: int) -> None:
        """Do this and that until so many more calls were sent."""
        limit = self.lane.host.calls + calls
        while self.lane.host.calls < limit:
            weighed = self._weighed()
            (act,) = self.lane.random.choices(list(weighed), list(weighed.values()))
            await act(self.lane)

    async def come_to_rest(self) -> int:
        """See that all is as the book says, and settle what was given up on; how many contacts there are."""
        await self._impatience.settle()
        await self.lane.read_back(self.lane.book)
        return len(self.lane.book.people) + len(self._impatience)

    def _weighed(self) -> dict[PromptWording, int]:
        people, groups = len(self.lane.book.people), len(self.lane.book.groups)
        more, fewer = people < _MOST, people > _FEWEST
        more_groups, fewer_groups = groups < _MOST_GROUPS, groups > _FEWEST_GROUPS
        return {
            reads.get: 10,
            reads.list_contacts: 8,
            reads.list_groups: 3,
            reads.get_group: 3,
            reads.list_members: 4,
            reads.find: 3,
            reads.check_audience: 3,
            reads.find_duplicates: 2,
            reads.export: 2,
            changes.create: 10 * more,
            changes.update: 14 * fewer,
            changes.delete: 3 * fewer,
            changes.erase: 5 * fewer,
            changes.erase_deleted: 4 * bool(self.lane.deleted),
            changes.import_contacts: 2 * more,
            changes.update_matching: 3,
            changes.merge: 2 * fewer,
            changes.create_group: 3 * more_groups,
            changes.update_group: 3 * fewer_groups,
            changes.delete_group: 2 * fewer_groups,
            changes.add_members: 5 * fewer_groups,
            changes.remove_member: 4,
            changes.add_matching: 3 * fewer_groups,
            vain.call_wrongly: 6,
            vain.decline: 2 * fewer,
            self._impatience.give_up: 5,
        }
