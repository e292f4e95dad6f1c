"""For old_code.py, a plugin of pytest: tests that ask for a database get the one in NEW_SCHEMA."""

import os
import shutil

import pytest
from sqlalchemy.engine import make_url

# What hands out a migrated database in tests/conftest.py.
_MIGRATED = "migrated"


def pytest_configure() -> None:
    from app.core import migrate
    from app.core.db import Database

    async def upgrade(database: Database) -> None:
        shutil.copyfile(os.environ["NEW_SCHEMA"], str(make_url(database.url).database))

    async def check(_database: Database) -> None:
        """Models that lack what the new schema has are what is tried."""

    migrate.upgrade, migrate.check = upgrade, check


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asking = [item for item in items if _MIGRATED in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in asking])
    items[:] = asking
