"""A clock for tests of what happens with time."""


class Clock:
    """A clock in seconds that only the test moves."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now
