"""Dumps of the database, and putting one in its place."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from server import Failure, Server

SERVING, RESTORED, FORMER = "app", "app_restored", "app_former"


def backup(server: Server, label: str) -> Path:
    """Dump the database while it serves. The file is there only when it is whole."""
    folder = server.root / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{label}.dump"
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        _tool(server, "pg_dump", "--format=custom", SERVING, stdout=file)
        os.fsync(file.fileno())
    _contents(server, partial)
    return partial.rename(path)


def dumps(server: Server) -> list[Path]:
    """The dumps that are here, the newest first."""
    return sorted((server.root / "backups").glob("*.dump"), reverse=True)


def forget_partial(server: Server) -> None:
    for path in (server.root / "backups").glob("*.partial"):
        path.unlink()


def load(server: Server, dump: Path) -> None:
    """Fill a new database from a dump, beside the one that serves."""
    if not dump.is_file():
        here = "\n".join(map(str, dumps(server)))
        raise Failure(f"there is no {dump}. These are here:\n{here}")
    _contents(server, dump)
    _tool(server, "dropdb", "--if-exists", "--force", RESTORED)
    _tool(server, "createdb", RESTORED)
    with dump.open("rb") as file:
        _tool(
            server, "pg_restore", "--exit-on-error", "--single-transaction",
            f"--dbname={RESTORED}", stdin=file,
        )  # fmt: skip


def exchange(server: Server, name: str) -> None:
    """Have database `name` serve, at once or not at all; the one that served is FORMER then."""
    if name == RESTORED:
        _tool(server, "dropdb", "--if-exists", "--force", FORMER)
    _tool(
        server, "psql", "--dbname=postgres", "--set=ON_ERROR_STOP=1", "--single-transaction",
        f"--command=alter database {SERVING} rename to app_changing",
        f"--command=alter database {name} rename to {SERVING}",
        f"--command=alter database app_changing rename to {FORMER}",
    )  # fmt: skip


def _contents(server: Server, dump: Path) -> None:
    with dump.open("rb") as file:
        if "TABLE DATA" not in _tool(server, "pg_restore", "--list", stdin=file):
            raise Failure(f"{dump} holds no table: it is not a dump of the application's database")


def _tool(server: Server, program: str, *arguments: str, **streams: BinaryIO) -> str:
    return server.standing("exec", "--no-TTY", "database", program, *arguments, **streams)
