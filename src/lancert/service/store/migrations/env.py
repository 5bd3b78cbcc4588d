"""How Alembic runs the migrations: on the connection and in the transaction it is handed, never on its own."""

from alembic import context

from lancert.service.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
