"""`app inference serve`: the small model as a server of its own."""

import click

from app.inference.settings import ServerSettings


@click.group("inference")
def cli() -> None:
    """Serve the small model by itself."""


@cli.command("serve")
@click.option("--host", help="Address to listen on; the setting HOST otherwise.")
@click.option("--port", type=int, help="Port to listen on; INFERENCE_PORT otherwise.")
def serve(host: str | None, port: int | None) -> None:
    """Serve the small model over HTTP and OpenAI's API."""
    import uvicorn

    from app.inference.server import create_server

    settings = ServerSettings()
    if not settings.model_path.exists():
        raise click.ClickException(
            f"no model file {settings.model_path}. Train it: app model train, or name another "
            "by MODEL_PATH"
        )
    uvicorn.run(
        create_server(settings),
        host=host or settings.host,
        port=port or settings.inference_port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )
