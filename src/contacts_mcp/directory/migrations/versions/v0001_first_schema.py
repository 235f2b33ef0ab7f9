"""The first schema. A database of this revision was created with its tables, so there is nothing to do."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Change nothing."""
