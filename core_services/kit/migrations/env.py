"""The Alembic environment of every core service.

It uses the connection that `run.py` hands over.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite runs DDL in transactions too, once the driver leaves BEGIN to us: all or nothing.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
