"""Alembic's entry point: it migrates the given connection."""

from alembic import context

from calmo_pagerduty.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
