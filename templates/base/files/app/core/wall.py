"""The second wall between tenants, on PostgreSQL: a transaction sees the rows of one tenant.

The first are the queries, which all name a tenant. Where one is forgotten, this shows and changes
nothing of others. SQLite has no such thing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncSession

TENANT = "tenant_id"
# Transactions take on this role: unlike the one that connects, it never passes the policies.
ROLE = "app_tenant"

# Whose rows a transaction sees: a tenant's, once it is known who asks or whose job it is; until
# then, and for the work of the application itself, everybody's.
EVERYBODY = "*"
current_tenant: ContextVar[str] = ContextVar("current_tenant", default=EVERYBODY)

_ENTER = text("select set_config('role', :role, true), set_config('app.tenant', :tenant, true)")
_SWITCH = text("select set_config('app.tenant', :tenant, true)")
_IS_VISIBLE = f"current_setting('app.tenant', true) in ('{EVERYBODY}', {TENANT})"


def enter(connection: Connection) -> None:
    """Begin a transaction of the application as the present tenant."""
    if connection.get_execution_options().get("walled"):
        connection.execute(_ENTER, {"role": ROLE, "tenant": current_tenant.get()})


@asynccontextmanager
async def everybody(session: AsyncSession) -> AsyncIterator[None]:
    """Look over the wall: for questions about all tenants together, such as how long a queue is."""
    if session.get_bind().dialect.name == "sqlite":
        yield
        return
    await session.execute(_SWITCH, {"tenant": EVERYBODY})
    try:
        yield
    finally:
        await session.execute(_SWITCH, {"tenant": current_tenant.get()})


def build(connection: Connection, metadata: MetaData) -> None:
    """Make the role, and a policy for each table with a tenant. May be repeated."""
    if connection.dialect.name == "sqlite":
        return
    for statement in (
        f"do $$ begin if not exists (select from pg_roles where rolname = '{ROLE}') "
        f"then create role {ROLE} nologin; end if; end $$",
        f"grant {ROLE} to current_user",
        f"grant usage on schema public to {ROLE}",
        f"grant select, insert, update, delete on all tables in schema public to {ROLE}",
        f"grant usage on all sequences in schema public to {ROLE}",
    ):
        connection.execute(text(statement))
    for table in metadata.sorted_tables:
        if TENANT in table.c:
            for statement in (
                f"alter table {table.name} enable row level security",
                f"alter table {table.name} force row level security",
                f"drop policy if exists tenant_wall on {table.name}",
                f"create policy tenant_wall on {table.name} "
                f"using ({_IS_VISIBLE}) with check ({_IS_VISIBLE})",
            ):
                connection.execute(text(statement))
