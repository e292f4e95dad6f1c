"""`app audit`: look at the audit, prove that it is whole, hand it over."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from app.core import options
from app.core.db import Database
from app.settings import Settings

if TYPE_CHECKING:
    from app.audit.chain import Anchor

T = TypeVar("T")


@click.group("audit")
def cli() -> None:
    """Who changed what. Entries are only ever added, each with the hash of the one before."""


@cli.command("list")
@click.option("--tenant", type=options.TENANT, help="Only this tenant's.")
@click.option("--action", default="", help="Only this action, such as flag.change or key.*")
@click.option("--target", default="", help="Only about this, such as flag:release")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@options.as_json
def list_entries(tenant: str | None, action: str, target: str, limit: int, as_json: bool) -> None:
    """Show the newest entries."""
    from app.audit.chain import content
    from app.audit.log import entries

    query = entries(tenant=tenant, action=action, target=target).limit(limit)

    async def read(database: Database) -> list[dict[str, Any]]:
        async with database.reader() as session:
            return [content(entry) for entry in await session.scalars(query)]

    found = _run(read)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for row in found:
        reason = f": {row['reason']}" if row["reason"] else ""
        options.say(
            f"{row['seq']:>6}  {row['at'][:19]}Z  {row['tenant']}  {row['actor']}  "
            f"{row['action']}  {row['target']}{reason}"
        )


@cli.command("verify")
@click.option("--anchor", help="SEQ:HASH that was kept elsewhere, such as in the logs.")
@click.option(
    "--file", type=click.Path(exists=True, path_type=Path), help="An export, instead of the table."
)
def verify_chain(anchor: str | None, file: Path | None) -> None:
    """Fail when an entry was altered, removed, put in between, or cut off the end.

    Whoever can rewrite the whole table can make a new chain: keep an anchor where they cannot
    write. Every entry's stands in the logs, as `seq` and `entry_hash` of the event `audit`.
    """
    from app.audit.chain import Anchor
    from app.audit.log import verify

    try:
        known = Anchor.parse(anchor) if anchor else None
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    async def check(database: Database) -> tuple[Anchor, list[str]]:
        async with database.reader() as session:
            return await verify(session, known)

    head, found = _verify_file(file, known) if file else _run(check)
    for line in found:
        options.say(line)
    if found:
        raise click.ClickException("the audit is not whole")
    click.echo(f"the audit is whole; anchor {head}")


def _verify_file(file: Path, known: "Anchor | None") -> "tuple[Anchor, list[str]]":
    from app.audit.chain import Anchor, faults

    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        start = Anchor(rows[0]["seq"] - 1, rows[0]["previous"])
        end = Anchor(rows[-1]["seq"], rows[-1]["hash"])
    except (ValueError, LookupError, TypeError) as error:
        raise click.ClickException(f"{file} is no export of the audit ({error!r})") from None

    async def stream() -> AsyncIterator[Mapping[str, Any]]:
        for row in rows:
            yield row

    return end, asyncio.run(faults(stream(), start, end, known))


@cli.command("export")
@click.option("--from", "first", type=click.IntRange(1), default=1, help="The first entry.")
@click.option("--to", "last", type=click.IntRange(1), help="The last; otherwise the newest.")
@click.option("--output", type=click.File("w"), default="-", help="A file, otherwise the terminal.")
def export_entries(first: int, last: int | None, output: Any) -> None:
    """Write entries as JSON lines; `app audit verify --file` proves them without the database."""
    from app.audit.log import export, head

    async def write(database: Database) -> str:
        async with database.reader() as session:
            start, end = "", await head(session)
            async for row in export(session, first, last or end.seq):
                start = start or f"{row['seq'] - 1}:{row['previous']}"
                end = f"{row['seq']}:{row['hash']}"
                output.write(json.dumps(row, sort_keys=True) + "\n")
            return f"from {start} to {end}" if start else "no entries"

    click.echo(_run(write), err=True)


def _run(action: Callable[[Database], Awaitable[T]]) -> T:
    async def run() -> T:
        database = Database(Settings().database_url)
        try:
            return await action(database)
        finally:
            await database.close()

    return asyncio.run(run())
