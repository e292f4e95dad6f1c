"""A database of the test's own, and somebody who changes things."""

from collections.abc import AsyncIterator

import pytest

from app.core.db import Database
from app.core.principal import Principal
from app.settings import Settings

ADA = Principal("default", "ada")


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database_url)
    yield database
    await database.close()
