"""`app worker`, and `app jobs` to look at the queue and revive what died."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from sqlalchemy import select

from app.core import migrate, options
from app.core.db import Database
from app.jobs.models import Job
from app.jobs.settings import JobsSettings
from app.jobs.store import JobStore
from app.settings import Settings

T = TypeVar("T")


@click.group("jobs")
def cli() -> None:
    """Look at background jobs, and retry what was given up."""


@cli.command("list")
@click.option("--state", type=click.Choice(["ready", "running", "done", "dead"]))
@click.option("--queue")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
def list_jobs(state: str | None, queue: str | None, limit: int) -> None:
    """Show jobs, the newest first."""
    query = select(Job).order_by(Job.created_at.desc()).limit(limit)
    if state:
        query = query.where(Job.state == state)
    if queue:
        query = query.where(Job.queue == queue)

    async def read(database: Database, _store: JobStore) -> list[Job]:
        async with database.reader() as session:
            return list(await session.scalars(query))

    jobs = _run(read)
    for job in jobs:
        options.say(
            f"{job.id}  {job.state:<7}  {job.queue}/{job.task}  {job.tenant_id}  "
            f"attempt {job.attempts}/{job.max_attempts}  {job.created_at:%Y-%m-%d %H:%M:%S}"
            + (f"  {job.last_error}" if job.last_error else "")
        )
    if not jobs:
        click.echo("no such jobs")


@cli.command("retry")
@click.argument("ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every dead job.")
def retry_jobs(ids: tuple[str, ...], every: bool) -> None:
    """Give dead jobs, by IDS or --all, a fresh set of attempts."""
    if bool(ids) == every:
        raise click.UsageError("name the jobs by id, or say --all; app jobs list --state dead")
    count = _run(lambda _database, store: store.retry_dead(None if every else ids))
    click.echo(f"{count} dead jobs go back to their queues")
    if count < len(set(ids)):
        raise click.ClickException(f"{len(set(ids)) - count} of the ids name no dead job")


@cli.command("stats")
def show_stats() -> None:
    """Count jobs by queue and state; those that are done are left out."""
    depths = _run(lambda _database, store: store.depths())
    for (queue, state), count in sorted(depths.items()):
        click.echo(f"{queue:<16} {state:<8} {count:>7}")
    if not depths:
        click.echo("nothing waits, runs or has died")


@click.command()
@click.option("--queues", help="Only these, separated by commas; otherwise every one.")
@click.option("--metrics-port", type=int, help="Serve this process's metrics there, on HOST.")
def worker(queues: str | None, metrics_port: int | None) -> None:
    """Work off the queues until SIGTERM or Ctrl-C; then finish or hand back what runs."""
    settings, jobs = Settings(), JobsSettings()
    names = [name.strip() for name in queues.split(",")] if queues else list(jobs.concurrency)
    if unknown := sorted(set(names) - jobs.concurrency.keys()):
        raise click.ClickException(
            f"no queue {', '.join(unknown)}; JOBS_CONCURRENCY names: {', '.join(jobs.concurrency)}"
        )

    async def work() -> None:
        from prometheus_client import start_http_server

        from app.jobs.worker import Worker
        from app.main import create_app

        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        app = create_app(settings.model_copy(update={"in_process_workers": False}))
        services = app.state.services
        await _require_migrated(services.database)
        if metrics_port:
            start_http_server(metrics_port, settings.host, services.metrics.registry)
        async with (
            app.router.lifespan_context(app),
            Worker(services, app.state.jobs, jobs, names).running(),
        ):
            click.echo(f"working on {', '.join(names)}")
            await stop.wait()

    asyncio.run(work())


# Beside the group `app jobs`: commands of this feature that stand at the top.
COMMANDS = {"worker": worker}


async def _require_migrated(database: Database) -> None:
    if reason := await migrate.pending(database):
        raise click.ClickException(reason)


def _run(action: Callable[[Database, JobStore], Awaitable[T]]) -> T:
    settings, jobs = Settings(), JobsSettings()

    async def run() -> T:
        database = Database(settings.database_url)
        try:
            await _require_migrated(database)
            return await action(database, JobStore(database, jobs))
        finally:
            await database.close()

    return asyncio.run(run())
