"""`just old-code` in a real repository: the code before, on the schema that a change makes."""

import subprocess
from pathlib import Path

import pytest

from workflow_steps import clean_environment

pytestmark = pytest.mark.slow

MIGRATION = '''\
"""More"""

import sqlalchemy as sa
from alembic import op

revision = "core_0002"
down_revision = "core_0001"
CONTRACT = "nothing reads it since 1.0, or so it is said"


def upgrade() -> None:
    with op.batch_alter_table("idempotency") as batch:
        {change}


def downgrade() -> None:
    pass
'''
# Enough of the tests that ask for a database.
FEW = {"PYTEST_ADDOPTS": "-k test_requests"}


@pytest.fixture(scope="module")
def clone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old-code") / "clone"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(folder)], check=True)
    return folder


def just(clone: Path, *recipe: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["uv", "run", "--quiet", "just", *recipe],
        cwd=clone, env=clean_environment() | FEW, capture_output=True, text=True, check=False,
    )  # fmt: skip


def change(clone: Path, statement: str) -> None:
    path = clone / "app/core/migrations/0002_more.py"
    path.write_text(MIGRATION.format(change=statement))


def test_a_column_that_the_code_before_reads_cannot_be_taken_whatever_the_linter_is_told(
    clone: Path,
) -> None:
    change(clone, 'batch.drop_column("body")')
    assert just(clone, "migrations").returncode == 0
    refused = just(clone, "old-code")
    assert refused.returncode != 0
    assert "app/core/migrations/0002_more.py" in refused.stdout
    assert "failed" in refused.stdout
    assert "take the old away in a later release" in refused.stderr


def test_a_column_that_it_does_not_know_does_no_harm(clone: Path) -> None:
    change(clone, 'batch.add_column(sa.Column("mood", sa.String(20), nullable=True))')
    passed = just(clone, "old-code")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert " passed" in passed.stdout
    assert "the code before works on it" in passed.stdout
