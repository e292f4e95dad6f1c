"""Which databases the code can work on: its own, and that of a later release."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.core import migrate
from app.core.db import Database

LATER = ("DELETE FROM alembic_version", "INSERT INTO alembic_version VALUES ('later')")
NEXT = """
revision = "core_next"
down_revision = "core_0001"


def upgrade() -> None:
    pass
"""


@pytest.fixture
async def present(tmp_path: Path) -> AsyncIterator[Database]:
    """Migrated by the present code: the fixture `database` may be of a later release."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/present.db")
    await migrate.upgrade(database)
    yield database
    await database.close()


async def execute(database: Database, *statements: str) -> None:
    async with database.session() as session:
        for statement in statements:
            await session.execute(text(statement))


async def test_it_is_ready_on_what_it_migrated(present: Database) -> None:
    assert await migrate.pending(present) is None


@pytest.mark.parametrize(
    "statements",
    [
        LATER,  # one revision takes the places of many, when it depends on them
        ("INSERT INTO alembic_version VALUES ('later')",),
        (*LATER, "ALTER TABLE idempotency ADD COLUMN mood TEXT", "CREATE TABLE mood (id INTEGER)"),
    ],
)
async def test_it_stays_ready_on_the_schema_of_the_next_release(
    present: Database, statements: tuple[str, ...]
) -> None:
    await execute(present, *statements)
    assert await migrate.pending(present) is None


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
    present: Database, statements: tuple[str, ...]
) -> None:
    await execute(present, *statements)
    assert "run `app db upgrade`" in (await migrate.pending(present) or "")


@pytest.mark.parametrize("more", [(), ("INSERT INTO alembic_version VALUES ('later')",)])
async def test_it_is_not_ready_where_a_feature_has_an_older_revision(
    present: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    (tmp_path / "next.py").write_text(NEXT)
    folder_of = migrate.folder_of
    monkeypatch.setattr(migrate, "PACKAGES", (*migrate.PACKAGES, "next"))
    monkeypatch.setattr(
        migrate, "folder_of", lambda name: tmp_path if name == "next" else folder_of(name)
    )
    await execute(present, *more)
    assert "run `app db upgrade`" in (await migrate.pending(present) or "")
