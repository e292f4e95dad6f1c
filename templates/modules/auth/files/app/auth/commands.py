"""`app auth`: examine a provider before anybody signs in by it; a token for trying things."""

import asyncio
import json
from dataclasses import asdict

import click

from app.auth.settings import AuthSettings
from app.core import options
from app.settings import Settings


@click.group("auth")
def cli() -> None:
    """People and programs that sign in."""


@cli.command()
@click.argument("url", required=False)
@options.as_json
@click.pass_context
def doctor(ctx: click.Context, url: str | None, as_json: bool) -> None:
    """Say what is wrong with the provider at the discovery address URL, and what to do.

    Without URL, with the one of the settings. Exit status 1 when nobody could sign in.
    """
    from app.auth.doctor import examine

    core, settings = Settings(), AuthSettings()
    url = url or settings.discovery_url
    if not url.startswith(("http://", "https://")):
        raise click.ClickException(
            "which provider? Give its address, https://.../.well-known/openid-configuration, or "
            "set AUTH_DISCOVERY_URL"
        )
    report = asyncio.run(examine(url, settings.completed(core.port), core.mfa_acr))
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        for kind, lines in (("error", report.errors), ("warning", report.warnings)):
            for line in lines:
                options.say(f"{kind}: {line}")
        click.echo(f"\nTo register at {report.discovery_url}")
        for name, address in report.register.items():
            click.echo(f"  {name:<20} {address}")
        options.say(f"Hosts that the application calls: {', '.join(report.hosts) or 'unknown'}")
    ctx.exit(1 if report.errors else 0)


@cli.command()
@click.option("--scope", default="", help="Scopes, with spaces between; all of them otherwise.")
def token(scope: str) -> None:
    """Print an access token of the development issuer for a program, good for ten minutes."""
    from app.auth.issuer.routes import access
    from app.auth.login import Auth
    from app.auth.settings import DEVELOPMENT
    from app.main import create_app

    auth: Auth = create_app().state.auth
    if DEVELOPMENT not in auth.providers:
        raise click.ClickException("AUTH_PROVIDER is not development: ask your provider for one")

    async def made() -> str:
        wanted = scope or " ".join(sorted(auth.services.access.scopes))
        claims = {"sub": auth.settings.client_id, "scope": wanted}
        async with auth.services.database.session() as session:
            answer = await access(session, auth, claims)
        await auth.services.database.close()
        return answer["access_token"]

    click.echo(asyncio.run(made()))
