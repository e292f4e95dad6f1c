"""`app webhooks`: send one for trying out, and look after those that were put aside."""

import asyncio
import base64
import json
import secrets
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from sqlalchemy import select

from app.core import migrate, options
from app.core.db import utcnow
from app.core.text import printable
from app.features import FEATURES
from app.services import Services
from app.settings import Settings
from app.webhooks.handlers import collect
from app.webhooks.intake import Intake
from app.webhooks.models import Quarantined
from app.webhooks.settings import WebhookSettings
from app.webhooks.signature import Signatures

T = TypeVar("T")


@click.group("webhooks")
def cli() -> None:
    """Send webhooks, and replay those that were put aside."""


@cli.command("secret")
def print_secret() -> None:
    """Print a fresh secret for WEBHOOK_SECRET."""
    click.echo("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())


@cli.command("send")
@click.argument("name", metavar="[TYPE]", required=False)
@click.option("--type", "kind", help="The event's type, such as ticket.created.")
@click.option("--data", help="The event's data, as JSON; the type's own example otherwise.")
@click.option(
    "--file", type=click.File("rb"), help="Read the data from here; - for standard input."
)
@click.option("--url", help="Where to send it; this application's own address otherwise.")
@click.option("--source", default="cli", show_default=True, help="Who we say we are.")
@click.option("--id", "webhook_id", help="A webhook-id; sent twice, it is handled once.")
def send(
    name: str | None,
    kind: str | None,
    data: str | None,
    file: Any,
    url: str | None,
    source: str,
    webhook_id: str | None,
) -> None:
    """Sign an event with WEBHOOK_SECRET and send it."""
    import httpx2

    settings, signatures = Settings(), Signatures(WebhookSettings().secret)
    if not signatures:
        raise click.ClickException(
            "WEBHOOK_SECRET is not set: put one into .env; `app webhooks secret` prints one"
        )
    if (kind := kind or name) is None:
        known = ", ".join(sorted(collect(FEATURES))) or "none yet"
        raise click.UsageError(f"name the event's type; handled are: {known}")
    now = utcnow()
    event = {"type": kind, "timestamp": now.isoformat(), "data": _data(kind, data, file)}
    body = json.dumps(event, ensure_ascii=False).encode()
    headers = signatures.sign(webhook_id or f"msg_{uuid.uuid4().hex}", body, now)
    url = url or f"http://{settings.host}:{settings.port}/webhooks/{source}"
    try:
        response = httpx2.post(
            url, content=body, headers={"content-type": "application/json", **headers}
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise click.ClickException(
            f"{url} does not answer ({error}). Is it running? `app serve`"
        ) from None
    options.say(f"{response.status_code} {response.text}")
    if response.is_error:
        raise click.ClickException("the webhook was not accepted")


def _data(kind: str, data: str | None, file: Any) -> Any:
    text = file.read() if file else data
    if text is not None:
        try:
            return json.loads(text)
        except ValueError as error:
            raise click.UsageError(f"the data is no JSON: {error}") from None
    handler = collect(FEATURES).get(kind)
    examples = handler.model.model_json_schema().get("examples") if handler else None
    if not examples:
        raise click.UsageError(f"{kind} has no example; give its data by --data or --file")
    return examples[0]


@cli.command("list")
@click.option("--all", "every", is_flag=True, help="Those that were handled since, too.")
def list_quarantined(every: bool) -> None:
    """Show the events that were put aside, without what they say."""
    query = select(Quarantined).order_by(Quarantined.id)
    if not every:
        query = query.where(Quarantined.handled_at.is_(None))

    async def rows(services: Services, _intake: Intake) -> list[Quarantined]:
        async with services.database.reader() as session:
            return list(await session.scalars(query))

    found = _run(rows)
    for row in found:
        handled = "  handled" if row.handled_at else ""
        click.echo(f"{row.id}  {row.received_at:%Y-%m-%d %H:%M}  {row.source}  {row.kind}{handled}")
    if not found:
        click.echo("nothing is in quarantine")


@cli.command("show")
@click.argument("key", metavar="ID", type=int)
def show(key: int) -> None:
    """Print why event ID was put aside, and all of it. It may hold personal data."""

    async def row(services: Services, _intake: Intake) -> Quarantined | None:
        async with services.database.reader() as session:
            return await session.get(Quarantined, key)

    found = _run(row)
    if found is None:
        raise click.ClickException(f"there is no event {key} in quarantine")
    options.say(f"{found.kind}: {found.reason}")
    options.say(f"{found.tenant_id} {found.source} {found.webhook_id}")
    body = printable(found.body.decode(errors="backslashreplace"), keep="\n")
    click.echo("handled since, its body is deleted" if found.handled_at else body)


@cli.command("replay")
@click.argument("keys", metavar="[ID]...", type=int, nargs=-1)
@click.option("--all", "every", is_flag=True, help="Everything in quarantine.")
def replay(keys: tuple[int, ...], every: bool) -> None:
    """Handle events that were put aside, after a fix. Repeating it does no harm."""
    if bool(keys) == every:
        raise click.UsageError("name the events by id, or say --all; app webhooks list")

    async def all_of_them(_services: Services, intake: Intake) -> int:
        left = 0
        for key in await intake.waiting() if every else keys:
            try:
                result, reason = await intake.replay(key)
            except Exception as error:
                result, reason = "failed", f"{type(error).__name__}: {error}"
            left += result in ("failed", "still malformed")
            options.say(f"{key}  {result}" + (f"  {reason}" if reason else ""))
        return left

    if left := _run(all_of_them):
        raise click.ClickException(f"{left} could not be handled")


def _run(action: Callable[[Services, Intake], Awaitable[T]]) -> T:
    from app.main import create_app

    settings = Settings().model_copy(update={"in_process_workers": False})

    async def run() -> T:
        app = create_app(settings)
        if reason := await migrate.pending(app.state.services.database):
            await app.state.services.database.close()
            raise click.ClickException(reason)
        async with app.router.lifespan_context(app):
            return await action(app.state.services, app.state.webhooks)

    return asyncio.run(run())
