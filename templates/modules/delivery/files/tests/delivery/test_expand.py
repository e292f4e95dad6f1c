"""A migration that the code before it would not survive is named; one that it would, is not."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from click.testing import CliRunner

from app.cli import main
from app.delivery.expand import incompatible

HEAD = """
import sqlalchemy as sa
from alembic import op

revision = "new"
down_revision = None
{more}

def upgrade() -> None:
    {body}


def downgrade() -> None:
    pass
"""


def found(tmp_path: Path, body: str, more: str = "") -> list[str]:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions/new.py").write_text(HEAD.format(body=body, more=more))
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    return [str(item) for item in incompatible(ScriptDirectory.from_config(config))]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("op.drop_table('tickets')", "still uses the table"),
        ("op.drop_column('tickets', 'team')", "still asks for it"),
        ("op.rename_table('tickets', 'cases')", "knows the old name"),
        ("op.alter_column('tickets', 'team', new_column_name='group')", "knows the old name"),
        ("op.alter_column('tickets', 'team', type_=sa.Integer())", "writes the old type"),
        ("op.alter_column('tickets', 'team', nullable=False)", "may leave it empty"),
        (
            "op.add_column('tickets', sa.Column('size', sa.Integer(), nullable=False))",
            "does not fill it",
        ),
        ("op.create_unique_constraint('u', 'tickets', ['text'])", "may write what this forbids"),
        ("op.create_index('i', 'tickets', ['text'], unique=True)", "may write what this forbids"),
        ("op.execute('drop table tickets')", "still uses the table"),
        (
            "with op.batch_alter_table('tickets') as batch:\n        batch.drop_column('team')",
            "still asks for it",
        ),
    ],
)
def test_what_breaks_the_code_before_is_named(tmp_path: Path, body: str, said: str) -> None:
    lines = found(tmp_path, body)
    assert len(lines) == 1
    assert said in lines[0]
    assert lines[0].startswith("new.py: ")


@pytest.mark.parametrize(
    "body",
    [
        "op.add_column('tickets', sa.Column('size', sa.Integer(), nullable=True))",
        "op.add_column('tickets', "
        "sa.Column('size', sa.Integer(), nullable=False, server_default='0'))",
        "op.create_index('i', 'tickets', ['text'])",
        "op.alter_column('tickets', 'team', nullable=True)",
        "op.create_table('new', sa.Column('id', sa.Integer(), nullable=False)); "
        "op.create_index('i', 'new', ['id'], unique=True)",
    ],
)
def test_what_the_code_before_survives_is_not(tmp_path: Path, body: str) -> None:
    assert found(tmp_path, body) == []


def test_the_last_step_of_three_says_so(tmp_path: Path) -> None:
    more = 'CONTRACT = "nothing reads tickets.team since 2.4"'
    assert found(tmp_path, "op.drop_column('tickets', 'team')", more) == []


def test_the_migrations_of_this_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(main, ["rollout", "migrations"])
    assert result.exit_code == 0, result.output


def test_the_command_fails_on_a_bad_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.delivery.expand.incompatible", lambda: ["new.py: DROP TABLE tickets"])
    result = CliRunner().invoke(main, ["rollout", "migrations"])
    assert result.exit_code == 1
    assert "DROP TABLE" in result.output
    assert "CONTRACT" in result.output
