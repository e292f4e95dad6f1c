"""The policies of this repository, with the table that their examples are judged by."""

from pathlib import Path

import pytest

from app.policy.rego import Policies
from app.policy.residency import Allowed, load
from tests.ai.conftest import (
    classifier,
    endpoint,
    knowledge,
    make_gateway,
    metrics,
    prompts,
    server,
)

__all__ = [
    "classifier",
    "endpoint",
    "knowledge",
    "make_gateway",
    "metrics",
    "prompts",
    "server",
]

FOLDER = Path("policies").resolve()


@pytest.fixture
def policies() -> Policies:
    return Policies(FOLDER)


@pytest.fixture
def allowed() -> Allowed:
    return load(FOLDER / "examples" / "data.yaml")
