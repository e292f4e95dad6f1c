"""Commands of the login."""

import asyncio

import click


@click.group()
def cli() -> None:
    """People and programs that sign in."""


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
