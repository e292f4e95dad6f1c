"""`app gateway`: Envoy's configuration for these settings, and the one that reviews see."""

import asyncio
from pathlib import Path

import click

from app.settings import Settings

REVIEWED = Path("gateway/envoy.yaml")


@click.group("gateway")
def cli() -> None:
    """Envoy in front of the application, as its routes, access.yaml and limits.yaml say."""


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
def configure(file: Path) -> None:
    """Write Envoy's configuration for these settings to FILE; asks the provider for its address."""
    from app.gateway.document import issuer_of, text_of
    from app.gateway.settings import GatewaySettings
    from app.main import create_app

    settings = GatewaySettings()
    settings.require_hops(Settings().trusted_hops)
    app = create_app()
    text = text_of(app, asyncio.run(issuer_of(app)), settings)
    file.write_text(text, encoding="utf-8")
    click.echo(f"wrote {file}")


@cli.command()
def write() -> None:
    """Write gateway/envoy.yaml, for reviews: once committed, a test keeps it up to date."""
    from app.gateway.document import reviewed
    from app.main import create_app

    REVIEWED.parent.mkdir(exist_ok=True)
    REVIEWED.write_text(reviewed(create_app()), encoding="utf-8")
    click.echo(f"wrote {REVIEWED}")
