"""What numbers end in is among the terms: a whole number is found as a word is.

The tables stay as they are, since what contacts are found by is derived anew after every migration.
"""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nothing to be done to the tables."""
