"""A rollout of releases that a test may walk."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from app.core.principal import Principal
from app.delivery.store import Rollouts
from tests.flags.conftest import FlagFile, flags_file

__all__ = ["flags_file"]

ADA = Principal("default", "ada")


@pytest.fixture
def two_releases(flags_file: FlagFile) -> FlagFile:
    """`previous` differs from `current` by its threshold; everybody has `previous`."""
    current = {"models": "models.yaml", "prompts": "prompts", "threshold": None}
    flags_file.alter(
        "release",
        variants={"current": current, "previous": current | {"threshold": 0.5}},
        defaultVariant="previous",
        targeting={},
    )
    return flags_file


@pytest.fixture
def rollouts(two_releases: FlagFile, app: FastAPI) -> Rollouts:
    return app.state.rollouts


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path.cwd()
