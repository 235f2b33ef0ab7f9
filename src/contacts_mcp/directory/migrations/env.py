"""What alembic runs: the steps, in the transaction that it is given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=False,  # the transaction is whoever called's: all of it takes effect, or nothing
)
context.run_migrations()
