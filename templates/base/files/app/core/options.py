"""What the commands of several features share: options, lines, and who gives the command."""

import getpass
from collections.abc import Iterable
from typing import Any

import click

from app.core.principal import Principal
from app.core.tenants import is_tenant
from app.core.text import printable
from app.settings import Settings

as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
by = click.option("--by", help="Who does it; otherwise who is logged in here.")
reason = click.option("--reason", default="", help="Why, for whoever reads the audit.")


class _Tenant(click.ParamType):
    name = "tenant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not is_tenant(value):
            self.fail(f"{value!r}: letters, digits, '.', '_' and '-', 64 at most", param, ctx)
        return value


TENANT = _Tenant()


def say(line: str) -> None:
    """Print a line that holds what others wrote: it stays one line, and does nothing else."""
    click.echo(printable(line))


def operator(
    by: str | None = None, tenant: str | None = None, scopes: Iterable[str] = ()
) -> Principal:
    """Who gives the command: `by`, or else the account of the operating system."""
    return Principal(
        tenant or Settings().default_tenant, by or getpass.getuser(), scopes=frozenset(scopes)
    )
