"""Runs alembic's scripts in the transaction of the given connection."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=False,  # the caller's transaction applies all scripts or none
)
context.run_migrations()
