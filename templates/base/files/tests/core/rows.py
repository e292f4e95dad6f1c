"""A row for each tenant in every table, whatever tables there are."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sqlalchemy import JSON, Column, Table, TypeDecorator, insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Base, utcnow
from app.core.migrate import import_models
from app.core.wall import TENANT

# Not a tenant's, and why.
GLOBAL_TABLES = {
    "audit_head": "the end of the one chain of the audit; holds no content",
    "auth_accounts": "a person may belong to several tenants; memberships say to which",
    "auth_flows": "a login that has begun: nobody is known yet",
    "auth_issuer_grants": "of the provider for development",
    "auth_issuer_keys": "of the provider for development",
    "auth_issuer_sessions": "of the provider for development",
    "auth_used_tokens": "hashes of tokens that count once",
    "rollouts": "a release is rolled out to everybody; holds no content",
}
# Those that a tenant's rows refer to.
PARENTS = ("auth_accounts",)


def tables() -> list[Table]:
    """The tables that hold a tenant's rows, those that others refer to first."""
    import_models()
    return [table for table in Base.metadata.sorted_tables if TENANT in table.c]


def global_tables() -> set[str]:
    import_models()
    return {table.name for table in Base.metadata.sorted_tables if TENANT not in table.c}


def canary(tenant: str) -> str:
    """Stands in every text of a tenant's rows that is not an id."""
    return f"canary of {tenant}"


async def fill(session: AsyncSession, *tenants: str) -> dict[str, list[dict[str, Any]]]:
    """Put a row of each tenant into every table; return the rows by tenant."""
    import_models()
    if session.get_bind().dialect.name == "sqlite":
        # Made-up rows do not keep the rules of a table that guards itself, such as the audit.
        triggers = text("select name from sqlite_master where type = 'trigger'")
        for name in (await session.scalars(triggers)).all():
            await session.execute(text(f"drop trigger {name}"))
    made: dict[str, list[dict[str, Any]]] = {}
    for number, tenant in enumerate(tenants, start=1):
        for table in Base.metadata.sorted_tables:
            if TENANT in table.c or table.name in PARENTS:
                row = _row(table, tenant, number)
                await session.execute(insert(table).values(row))
                made.setdefault(tenant, []).append(row)
    return made


def _row(table: Table, tenant: str, number: int) -> dict[str, Any]:
    choices = _choices()
    return {
        column.name: choices.get((table.name, column.name)) or _value(column, tenant, number)
        for column in table.columns
        if not (column.autoincrement is True and column.primary_key)
    }


def _choices() -> dict[tuple[str, str], str]:
    """The first of the texts that a column may hold, where its model says which."""
    found = {}
    for mapper in Base.registry.mappers:
        for name, hint in get_type_hints(mapper.class_).items():
            for inner in get_args(hint):
                if get_origin(inner) is Literal:
                    found[str(mapper.local_table), name] = get_args(inner)[0]
    return found


def _value(column: Column[Any], tenant: str, number: int) -> Any:
    if column.name == TENANT:
        return tenant
    if column.foreign_keys:
        return _value(next(iter(column.foreign_keys)).column, tenant, number)
    stored = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    kind = dict if isinstance(stored, JSON) else stored.python_type
    length = getattr(stored, "length", None) or 200
    is_id = column.primary_key or column.name.endswith("_id") or column.name == "hash"
    values: dict[type, Any] = {
        str: f"{tenant}-{column.table.name}"[:length] if is_id else canary(tenant)[:length],
        int: number * 1_000_000,
        float: 0.5,
        bool: True,
        Decimal: Decimal(1),
        bytes: b"x",
        datetime: utcnow(),
        date: utcnow().date(),
        dict: {},
        list: [],
    }
    return values[kind]
