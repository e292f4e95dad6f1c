"""Fixtures over the built-in kit."""

from pathlib import Path

import pytest

from greenlane.combinations import everything
from greenlane.kit import Kit, load_kit
from greenlane.render import render
from rendering import write


@pytest.fixture(scope="session")
def kit() -> Kit:
    return load_kit()


@pytest.fixture(scope="session")
def rendered(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything rendered. Shared: a test copies what it wants to change."""
    app = sorted(kit.apps)[0]
    answers = everything(kit, app, "code_owner=@acme/ml")
    return write(render(kit, answers), tmp_path_factory.mktemp("rendered"))
