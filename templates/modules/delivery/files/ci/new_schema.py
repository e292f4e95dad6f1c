"""For old_code.py, a plugin of pytest: tests that ask for a database get the one in NEW_SCHEMA."""

import os
from pathlib import Path
from typing import Any

import pytest

# Hands out a migrated database in tests/conftest.py.
_MIGRATED = "migrated"


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: Any) -> Path | None:
    if fixturedef.argname != _MIGRATED:
        return None
    schema = Path(os.environ["NEW_SCHEMA"])
    fixturedef.cached_result = (schema, fixturedef.cache_key(request), None)
    return schema


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asking = [item for item in items if _MIGRATED in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in asking])
    items[:] = asking
