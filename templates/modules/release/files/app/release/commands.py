"""`app release`: build release.json, sign it, verify it."""

import json
import re
from pathlib import Path

import click

from app.core.problems import ConfigurationError
from app.core.release import FILE
from app.settings import Settings

SIGNATURE = FILE.with_suffix(".json.sig")
BUNDLE = FILE.with_suffix(".json.sigstore.json")
_IMAGE = re.compile(r"(?P<name>[a-z0-9][a-z0-9._/-]*)=(?P<digest>sha256:[0-9a-f]{64})")


@click.group("release")
def cli() -> None:
    """Name what a release is made of, sign it, verify it."""


@cli.command()
@click.option("--image", "images", multiple=True, metavar="NAME=sha256:...", help="Repeatable.")
def build(images: tuple[str, ...]) -> None:
    """Write release.json; the same commit gives the same bytes.

    Needs the reports of `just evals` and `just sbom`, made at this commit.
    """
    from app.release import document

    made = document.build(Settings().model_path, dict(map(_image, images)))
    FILE.write_text(document.text_of(made), encoding="utf-8")
    click.echo(f"{FILE}: {made['id']}")


@cli.command()
@click.option(
    "--key",
    envvar="RELEASE_SIGNING_KEY",
    required=True,
    help="Private Ed25519 key in PEM itself, not its path; best in the environment.",
)
def sign(key: str) -> None:
    """Write release.json.sig."""
    from app.release import signature

    SIGNATURE.write_text(signature.sign(_content(), key.encode()), encoding="utf-8")
    click.echo(f"signed: {SIGNATURE}")


@cli.command()
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--identity", help="Whose certificate cosign must find, such as a workflow's URL.")
@click.option("--issuer", help="Who vouches for that identity, such as a CI's OIDC issuer.")
@click.option("--unsigned", is_flag=True, help="Compare only; trust release.json as it is.")
def verify(key: Path | None, identity: str | None, issuer: str | None, unsigned: bool) -> None:
    """Fail unless release.json is signed and the files here are those that it names.

    With --key by release.json.sig, with --identity and --issuer by cosign's bundle.
    """
    from app.release import document, signature

    content = _content()
    if key is not None:
        if not SIGNATURE.exists():
            raise ConfigurationError(f"{FILE} is not signed: there is no {SIGNATURE}")
        signature.verify(content, SIGNATURE.read_text(encoding="utf-8"), key.read_bytes())
    elif identity and issuer:
        if not BUNDLE.exists():
            raise ConfigurationError(f"{FILE} is not signed by cosign: there is no {BUNDLE}")
        signature.verify_by_cosign(FILE, BUNDLE, identity, issuer)
    elif not unsigned:
        raise click.UsageError("give --key, or --identity and --issuer, or --unsigned")
    found = document.differences(json.loads(content), Settings().model_path)
    for line in found:
        click.echo(line)
    if found:
        raise click.ClickException("what is here is not what was released")
    click.echo(f"{json.loads(content)['id']}: as released")


def _content() -> bytes:
    try:
        return FILE.read_bytes()
    except OSError:
        raise ConfigurationError(f"there is no {FILE}: app release build") from None


def _image(text: str) -> tuple[str, str]:
    if not (match := _IMAGE.fullmatch(text)):
        raise click.BadParameter(
            f"{text!r} is not NAME=sha256: and 64 digits", param_hint="--image"
        )
    return match["name"], match["digest"]
