"""Alembic's entry: the connection is handed in by `migrate.py`; there is no ini file and no metadata to compare."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=True, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
