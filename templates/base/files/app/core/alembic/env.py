"""How Alembic reaches the database: over the connection that app.core.migrate opened."""

from alembic import context

from app.core.db import Base
from app.core.migrate import import_models

import_models()
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
