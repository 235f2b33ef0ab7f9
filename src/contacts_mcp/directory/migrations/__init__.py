"""From older schemas to the present one: alembic's steps, and what every one of them is followed by."""
