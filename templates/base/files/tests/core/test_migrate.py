"""Which databases the code can work on: its own, and that of a later release."""

from pathlib import Path

import pytest
from sqlalchemy import text

from app.core import migrate
from app.core.db import Database

pytestmark = pytest.mark.schema

LATER = ("DELETE FROM alembic_version", "INSERT INTO alembic_version VALUES ('later')")
NEXT = """
revision = "core_next"
down_revision = "core_0001"


def upgrade() -> None:
    pass
"""


async def execute(database: Database, *statements: str) -> None:
    async with database.session() as session:
        for statement in statements:
            await session.execute(text(statement))


async def test_it_is_ready_on_what_it_migrated(database: Database) -> None:
    assert await migrate.pending(database) is None


@pytest.mark.parametrize(
    "statements",
    [
        LATER,  # one revision takes the places of many, when it depends on them
        ("INSERT INTO alembic_version VALUES ('later')",),
        (*LATER, "ALTER TABLE idempotency ADD COLUMN mood TEXT", "CREATE TABLE mood (id INTEGER)"),
    ],
)
async def test_it_stays_ready_on_the_schema_of_the_next_release(
    database: Database, statements: tuple[str, ...]
) -> None:
    await execute(database, *statements)
    assert await migrate.pending(database) is None


@pytest.mark.parametrize(
    "statements",
    [
        ("DELETE FROM alembic_version",),
        ("DELETE FROM alembic_version WHERE version_num = 'core_0001'",),
        # Ahead in one feature, and behind in another one.
        (*LATER, "DROP TABLE idempotency"),
        (*LATER, "ALTER TABLE idempotency DROP COLUMN body"),
    ],
)
async def test_it_is_not_ready_on_what_lacks_something(
    database: Database, statements: tuple[str, ...]
) -> None:
    await execute(database, *statements)
    assert "run `app db upgrade`" in (await migrate.pending(database) or "")


def add_revision(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Give the code one more revision than the database has."""
    (folder / "next.py").write_text(NEXT)
    more = migrate.config()
    folders = more.get_main_option("version_locations")
    more.set_main_option("version_locations", f"{folders}\n{folder}")
    monkeypatch.setattr(migrate, "config", lambda: more)


@pytest.mark.parametrize("more", [(), ("INSERT INTO alembic_version VALUES ('later')",)])
async def test_it_is_not_ready_where_a_feature_has_an_older_revision(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    await execute(database, *more)
    add_revision(monkeypatch, tmp_path)
    assert "run `app db upgrade`" in (await migrate.pending(database) or "")


async def noted(database: Database) -> set[str]:
    async with database.reader() as session:
        return set(await session.scalars(text("SELECT version_num FROM alembic_version")))


async def test_an_older_release_that_is_deployed_again_migrates_nothing(database: Database) -> None:
    await execute(database, *LATER)
    await migrate.upgrade(database)
    assert await noted(database) == {"later"}


async def test_a_feature_that_is_gone_stops_no_migration(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(database, "INSERT INTO alembic_version VALUES ('gone')")
    add_revision(monkeypatch, tmp_path)
    await migrate.upgrade(database)
    assert {"gone", "core_next"} <= await noted(database)
    assert await migrate.pending(database) is None
