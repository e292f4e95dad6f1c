"""What the commands of several features share: their options, and who gives the command."""

import getpass
from collections.abc import Iterable

import click

from app.core.principal import Principal
from app.settings import Settings

as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
by = click.option("--by", help="Who does it; otherwise who is logged in here.")
reason = click.option("--reason", default="", help="Why, for whoever reads the audit.")


def operator(
    by: str | None = None, tenant: str | None = None, scopes: Iterable[str] = ()
) -> Principal:
    """Who gives the command: `by`, or else the account of the operating system."""
    return Principal(
        tenant or Settings().default_tenant, by or getpass.getuser(), scopes=frozenset(scopes)
    )
