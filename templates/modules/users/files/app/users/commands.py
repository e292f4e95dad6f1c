"""`app users` and `app keys`: tenants, their first people, groups and programs.

Whoever may run this owns the installation: it does everything, and stands in the audit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import access as tables
from app.core import options
from app.core.access import Access
from app.core.db import Database
from app.core.principal import Principal
from app.core.problems import AppError
from app.settings import Settings
from app.users.settings import UsersSettings

Action = Callable[[AsyncSession, Principal, Access], Awaitable[Any]]

_tenant = click.option(
    "--tenant", type=options.TENANT, help="Of which tenant; otherwise DEFAULT_TENANT."
)
_roles = click.option("--role", "roles", multiple=True, required=True, help="May be repeated.")


@click.group("users")
def cli() -> None:
    """Tenants, and who may do what in them."""


@click.group("keys")
def keys_cli() -> None:
    """Keys of a tenant for its programs."""


COMMANDS = {"keys": keys_cli}


@cli.command("seed")
def seed() -> None:
    """Make the tenant DEFAULT_TENANT, called as the application is, when it is not there."""
    from app.core import limits
    from app.core.principal import DEFAULT_TIER
    from app.features import TITLE
    from app.users.directory import create_tenant
    from app.users.models import Tenant

    async def make(session: AsyncSession, principal: Principal, _access: Access) -> None:
        if await session.get(Tenant, principal.tenant) is None:
            table = limits.load(Settings().limits_file)
            await create_tenant(session, table, principal, TITLE, DEFAULT_TIER)

    _run(None, make)


@cli.command("tenant")
@click.argument("tenant", type=options.TENANT)
@click.option("--name", help="Make it, called so.")
@click.option("--tier", help="Its contract, of limits.yaml.")
@click.option(
    "--suspend/--resume", "is_out", default=None, help="Shut everybody of it out, or not."
)
def change_tenant(tenant: str, name: str | None, tier: str | None, is_out: bool | None) -> None:
    """Make or change TENANT."""
    from app.core import limits
    from app.core.principal import DEFAULT_TIER
    from app.users import directory

    table = limits.load(Settings().limits_file)

    async def change(session: AsyncSession, principal: Principal, _access: Access) -> None:
        if name is not None:
            await directory.create_tenant(session, table, principal, name, tier or DEFAULT_TIER)
        elif tier is not None:
            await directory.set_tier(session, table, principal, tier)
        if is_out is not None:
            await directory.suspend_tenant(session, principal, is_out)

    _run(tenant, change)


@cli.command("list")
@_tenant
def list_people(tenant: str | None) -> None:
    """Show the people of a tenant."""
    from app.users import people

    async def read(session: AsyncSession, principal: Principal, _access: Access) -> list[str]:
        return [
            f"{row.account_id}  {row.account.name}  {', '.join(row.roles)}"
            + ("  (suspended)" if row.suspended_at else "")
            for row in await people.members(session, principal.tenant)
        ]

    for line in _run(tenant, read):
        options.say(line)


@cli.command("invite")
@click.argument("label")
@_roles
@_tenant
def invite(label: str, roles: tuple[str, ...], tenant: str | None) -> None:
    """Print a link that makes one person a member. LABEL says for whom it is."""
    from app.auth.settings import AuthSettings
    from app.users import people

    async def make(session: AsyncSession, principal: Principal, access: Access) -> str:
        lasts = UsersSettings().invitation_lasts
        return await people.invite(session, access, principal, label, roles, lasts)

    secret = _run(tenant, make)
    click.echo(f"{AuthSettings().completed(Settings().port).public_url}/join/{secret}")


@cli.command("roles")
@click.argument("person")
@_roles
@_tenant
def set_roles(person: str, roles: tuple[str, ...], tenant: str | None) -> None:
    """Give PERSON these roles and no others."""
    from app.users import people

    _run(tenant, lambda session, by, access: people.set_roles(session, access, by, person, roles))


@cli.command("remove")
@click.argument("person")
@_tenant
def remove(person: str, tenant: str | None) -> None:
    """End the membership of PERSON."""
    from app.users import people

    _run(tenant, lambda session, by, access: people.remove(session, access, by, person))


@cli.command("map")
@click.argument("issuer")
@click.argument("group")
@click.argument("role")
@click.option("--remove", "is_gone", is_flag=True, help="Take the mapping away.")
@_tenant
def map_group(issuer: str, group: str, role: str, is_gone: bool, tenant: str | None) -> None:
    """Give ROLE to all whom the provider ISSUER puts into GROUP."""
    from app.users import directory

    async def change(session: AsyncSession, principal: Principal, access: Access) -> None:
        if is_gone:
            await directory.unmap_group(session, access, principal, issuer, group, role)
        else:
            await directory.map_group(session, access, principal, issuer, group, role)

    _run(tenant, change)


@cli.command("client")
@click.argument("issuer")
@click.argument("client_id")
@click.option("--role", "roles", multiple=True, help="May be repeated; none: it is out.")
@_tenant
def set_client(issuer: str, client_id: str, roles: tuple[str, ...], tenant: str | None) -> None:
    """Say what the program CLIENT_ID of the provider ISSUER is here."""
    from app.users import directory

    async def change(session: AsyncSession, principal: Principal, access: Access) -> None:
        await directory.set_client(session, access, principal, issuer, client_id, roles)

    _run(tenant, change)


@keys_cli.command("list")
@_tenant
def list_keys(tenant: str | None) -> None:
    """Show the keys of a tenant; never the keys themselves."""
    from app.users import keys

    async def read(session: AsyncSession, principal: Principal, _access: Access) -> list[str]:
        return [
            f"{row.id}  {row.name}  {', '.join(row.scopes)}  until {row.expires_at:%Y-%m-%d %H:%M}"
            for row in await keys.keys(session, principal.tenant)
        ]

    for line in _run(tenant, read):
        options.say(line)


@keys_cli.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="May be repeated.")
@_tenant
def create_key(name: str, scopes: tuple[str, ...], tenant: str | None) -> None:
    """Print a new key, this once."""
    from app.users import keys

    async def make(session: AsyncSession, principal: Principal, access: Access) -> str:
        lasts = UsersSettings().key_lasts
        return await keys.create(session, access, principal, name, scopes, lasts)

    click.echo(_run(tenant, make))


@keys_cli.command("rotate")
@click.argument("key")
@_tenant
def rotate_key(key: str, tenant: str | None) -> None:
    """Print a new key for KEY, which still works for a while."""
    from app.users import keys

    settings = UsersSettings()

    async def make(session: AsyncSession, principal: Principal, _access: Access) -> str:
        lasts, overlap = settings.key_lasts, settings.key_overlap
        return await keys.rotate(session, principal, key, lasts, overlap)

    click.echo(_run(tenant, make))


@keys_cli.command("revoke")
@click.argument("key")
@_tenant
def revoke_key(key: str, tenant: str | None) -> None:
    """End KEY at once."""
    from app.users import keys

    _run(tenant, lambda session, principal, _access: keys.revoke(session, principal, key))


def _run(tenant: str | None, action: Action) -> Any:
    settings = Settings()
    access = tables.load(settings.access_file)
    principal = options.operator(tenant=tenant, scopes=access.scopes)

    async def run() -> Any:
        database = Database(settings.database_url)
        try:
            async with database.session() as session:
                return await action(session, principal, access)
        except AppError as error:
            raise click.ClickException(f"{error.title}. {error.detail}") from None
        finally:
            await database.close()

    return asyncio.run(run())
