"""What a job has done so far, in counts that add up."""

from collections import Counter


class JobCounts(Counter[str]):
    """Counts by outcome; `to_do` is how many there are, where that is known."""

    to_do: int | None = None

    def __str__(self) -> str:
        of = "" if self.to_do is None else f" of {self.to_do:,}"
        counts = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in self.items() if count)
        return f"{self.total():,}{of} done" + (f": {counts}" if counts else "")
