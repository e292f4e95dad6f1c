"""Commands of triage: `app triage check`, and at the top `app seed` and `app feedback`."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog

from app.core import options
from app.settings import Settings

if TYPE_CHECKING:
    from app.services import Services


@click.group("triage")
def cli() -> None:
    """Check what decides where tickets go and what is answered."""


@cli.command()
def check() -> None:
    """Fail when an intent has no help article, or an article names an intent there is not."""
    from app.ai.retrieval import KnowledgeBase, KnowledgeError
    from app.ai.settings import AiSettings
    from app.triage import intents

    try:
        table = intents.load(intents.TABLE)
        knowledge = KnowledgeBase(AiSettings().knowledge_dir)
    except (KnowledgeError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    mistakes = intents.mistakes(table, knowledge.articles.values())
    for line in mistakes:
        click.echo(line)
    if mistakes:
        raise click.ClickException(f"{len(mistakes)} to mend, in intents.yaml or knowledge/")
    click.echo(f"{len(table.intents)} intents, {len(knowledge.articles)} articles, all in step")


@click.command()
@click.option("--users", type=click.IntRange(0), default=100, show_default=True)
@click.option("--tickets", type=click.IntRange(0), default=1_000, show_default=True)
@click.option(
    "--tenant", type=options.TENANT, help="Whose inbox; the setting DEFAULT_TENANT otherwise."
)
@click.option(
    "--epoch",
    type=click.DateTime(),
    help="The moment (UTC) that counts as now; the present hour otherwise.",
)
@click.option("--process", is_flag=True, help="Let the small model classify them on the way.")
def seed(
    users: int, tickets: int, tenant: str | None, epoch: datetime | None, process: bool
) -> None:
    """Fill the inbox with the same made-up tickets every time; replaces those made before."""
    moment = epoch or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    started = time.perf_counter()
    with _warnings_only():
        digest = asyncio.run(_seed(users, tickets, tenant, moment.replace(tzinfo=UTC), process))
    seconds = time.perf_counter() - started
    click.echo(f"seeded {users} customers and {tickets} tickets in {seconds:.1f} s")
    click.echo(f"content sha256 {digest}")


@contextmanager
def _warnings_only() -> Iterator[None]:
    """Without a line in the log for each ticket that the model reads."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    try:
        yield
    finally:
        structlog.configure(**before)


async def _seed(
    users: int, tickets: int, tenant: str | None, epoch: datetime, process: bool
) -> str:
    from app.core.problems import AppError
    from app.services import build_services
    from app.triage import seed as seeding
    from app.triage.seed_texts import Voice
    from app.triage.settings import TriageSettings

    services = build_services(Settings())
    settings = TriageSettings()
    plan = seeding.Seed(
        tenant or services.settings.default_tenant, users, tickets, epoch, settings.organisation
    )
    try:
        voice = Voice(settings.training_path)
    except (OSError, ValueError) as error:
        raise click.ClickException(
            f"{error}\nTickets are made from that file; set TRIAGE_TRAINING_PATH to another one."
        ) from None
    classify = _classifier(services, plan.tenant) if process else None
    try:
        with click.progressbar(length=tickets, label="tickets") as bar:
            return await seeding.fill(
                services.database,
                plan,
                voice,
                services.gateway.knowledge,
                classify=classify,
                on_batch=bar.update,
            )
    except AppError as error:
        raise click.ClickException(error.detail) from None
    finally:
        await services.database.close()


def _classifier(services: "Services", tenant: str):
    from app.core.principal import Principal
    from app.triage.pipeline import CLASSIFY
    from app.triage.seed import Label

    principal = Principal(tenant, "seed")
    # Made-up tickets are not worth a large model's money.
    gateway = services.gateway.offline()

    async def classify(text: str) -> Label:
        found = await gateway.classify(CLASSIFY, text, principal=principal)
        return Label(found.label, round(found.confidence, 4), found.needs_person, found.route)

    return classify


@click.group()
def feedback() -> None:
    """Learn from what people did with drafts."""


@feedback.command("to-golden")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("evals/feedback.jsonl"),
    show_default=True,
)
@click.option(
    "--tenant", type=options.TENANT, help="Whose feedback; the setting DEFAULT_TENANT otherwise."
)
def feedback_to_golden(output: Path, tenant: str | None) -> None:
    """Write accepted and edited tickets, masked, as cases for the evals.

    Look them over, append them to evals/golden.jsonl, lock and bless: `app evals --help`.
    """
    count = asyncio.run(_export(output, tenant))
    click.echo(f"wrote {count} cases to {output}")


async def _export(output: Path, tenant: str | None) -> int:
    from app.core.db import Database
    from app.triage import feedback_cases

    settings = Settings()
    database = Database(settings.database_url)
    try:
        return await feedback_cases.export(database, tenant or settings.default_tenant, output)
    finally:
        await database.close()


COMMANDS = {"feedback": feedback, "seed": seed}
