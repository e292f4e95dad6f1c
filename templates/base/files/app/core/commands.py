"""Commands of the core: serve, set up, migrate, and check contracts and objectives."""

import asyncio
import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from alembic.util.exc import CommandError

from app.core.db import Database
from app.settings import Settings


@click.command()
@click.option("--host", help="Address to listen on; the setting HOST otherwise.")
@click.option("--port", type=int, help="Port to listen on; the setting PORT otherwise.")
@click.option("--reload", is_flag=True, help="Restart when the code changes.")
def serve(host: str | None, port: int | None, reload: bool) -> None:
    """Serve the application."""
    import uvicorn

    settings = Settings()
    # The application reads it there: it says at which address people find it.
    os.environ["PORT"] = str(port or settings.port)
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host=host or settings.host,
        port=port or settings.port,
        reload=reload,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )


@click.command()
def setup() -> None:
    """Write .env from .env.example, with fresh secrets. Leaves an existing one alone."""
    target = Path(".env")
    if target.exists():
        click.echo(".env is there already; left as it is")
        return
    text = Path(".env.example").read_text()
    # A secret is a line that asks for one: `NAME=generate`. Nothing secret is ever in git.
    # Hexadecimal digits are base64 as well, which some secrets must be.
    text = re.sub(r"(?m)^(\w+)=generate$", lambda m: f"{m[1]}={secrets.token_hex(32)}", text)
    # Only its owner may read it, from the first byte on.
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    click.echo("wrote .env")


@click.group()
def db() -> None:
    """Migrate the database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the newest version."""
    from app.core import migrate

    asyncio.run(_with_database(migrate.upgrade))
    click.echo("the database is up to date")


@db.command("check")
def db_check() -> None:
    """Fail when the models and the migrations differ."""
    from app.core import migrate

    try:
        asyncio.run(_with_database(migrate.check))
    except CommandError as error:
        raise click.ClickException(
            f"{error}\nWrite one: app db revise FEATURE -m MESSAGE"
        ) from None
    click.echo("models and migrations agree")


@db.command("revise")
@click.argument("feature")
@click.option("-m", "--message", required=True, help="What the migration does.")
def db_revise(feature: str, message: str) -> None:
    """Write a migration for FEATURE from what its models changed."""
    from app.core import migrate

    package = f"app.{feature}"
    if package not in migrate.PACKAGES:
        raise click.ClickException(
            f"no feature {feature!r}; there are: {', '.join(migrate.PACKAGES)}"
        )
    asyncio.run(_with_database(lambda database: migrate.revise(database, package, message)))


async def _with_database(action) -> None:
    database = Database(Settings().database_url)
    try:
        await action(database)
    finally:
        await database.close()


@click.group()
def openapi() -> None:
    """Keep the API's shape: contracts/openapi/ holds what others rely on."""


@openapi.command("write")
def openapi_write() -> None:
    """Accept the present API as the contract."""
    from app.core import openapi as contract

    for path in contract.write(contract.CONTRACTS):
        click.echo(f"wrote {path}")


@openapi.command("check")
def openapi_check() -> None:
    """Fail when the API differs from the contract, and say where."""
    from app.core import openapi as contract

    differences = contract.differences(contract.CONTRACTS)
    for line in differences:
        click.echo(line)
    if differences:
        raise click.ClickException("the API changed. If that is meant: just contract-accept")


@click.group()
def slo() -> None:
    """Compare measurements with the objectives in slo.yaml."""


@slo.command("check")
@click.option("--from", "source", type=click.Path(exists=True, path_type=Path), required=True)
def slo_check(source: Path) -> None:
    """Fail when a flow in a load test's result breaches its objective.

    The result is JSON: a list of {"flow", "requests", "failures", "p95_ms"}.
    """
    from app.core import slo as objectives

    breaches = objectives.breaches(objectives.load(Settings().slo_file), source)
    for line in breaches:
        click.echo(line)
    if breaches:
        raise click.ClickException(f"{len(breaches)} objectives of slo.yaml are not met")
    click.echo("every measured flow meets its objective")


@click.command()
@click.option("--days", default=7, help="How old a release must be to be trusted.")
def upgrade_cooldown(days: int) -> None:
    """Move `exclude-newer` in pyproject.toml to a week ago."""
    path = Path("pyproject.toml")
    moment = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT00:00:00Z")
    text, changed = re.subn(
        r'(?m)^exclude-newer = ".*"$', f'exclude-newer = "{moment}"', path.read_text()
    )
    if not changed:
        raise click.ClickException(f"no line `exclude-newer` in pyproject.toml; add one: {moment}")
    path.write_text(text)
    click.echo(f"packages until {moment}")
