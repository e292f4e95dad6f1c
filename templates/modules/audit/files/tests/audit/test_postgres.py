"""The audit on PostgreSQL."""

import pytest
from sqlalchemy import text

from app.core.db import Database
from app.settings import Settings
from tests.audit.chains import FORBIDDEN, checked, many_writers_make_one_chain, refuses
from tests.postgres import ON_POSTGRES

pytestmark = ON_POSTGRES


@pytest.fixture
def settings(settings: Settings, postgres_url: str) -> Settings:
    return settings.model_copy(update={"database_url": postgres_url})


async def test_one_chain_that_only_grows(database: Database) -> None:
    await many_writers_make_one_chain(database, processes=2, count=20)
    await refuses(database, (*FORBIDDEN, "truncate audit_entries", "truncate audit_head"))
    async with database.engine.begin() as owner:
        await owner.execute(text("alter table audit_entries disable trigger all"))
        await owner.execute(text("delete from audit_entries where seq > 100"))
    assert (await checked(database))[1] == ["entries 101 to 120 are gone from the end"]
