"""Whether a migration leaves the code before it working: both run while a release is rolled out.

First expand (a new column that may be empty), then move the code, then contract, in a release of
its own whose migration says so: `CONTRACT = "nothing reads tickets.old since 2.4"`.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory

from app.core import migrate

_EXPAND = "add the new one beside it, and take this away in a later release"
_NAME = r'(?:IF EXISTS )?"?(?:\w+\.)?(\w+)"?'
# What breaks code that knows nothing of it, as PostgreSQL says it; the first group is the table.
_BREAKS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), what)
    for pattern, what in (
        (rf"DROP TABLE {_NAME}", f"the code before it still uses the table; {_EXPAND}"),
        (rf"ALTER TABLE {_NAME} DROP COLUMN", f"the code before it still asks for it; {_EXPAND}"),
        (rf"ALTER TABLE {_NAME} RENAME", f"the code before it knows the old name; {_EXPAND}"),
        (
            rf"ALTER TABLE {_NAME} ALTER COLUMN \S+ (?:SET DATA )?TYPE",
            f"the code before it writes the old type; {_EXPAND}",
        ),
        (
            rf"ALTER TABLE {_NAME} ALTER COLUMN \S+ SET NOT NULL",
            "the code before it may leave it empty; give it a server_default, and ask for it later",
        ),
        (
            rf"ALTER TABLE {_NAME} ADD COLUMN (?!.*\bDEFAULT\b).*\bNOT NULL",
            "the code before it does not fill it; make it nullable or give it a server_default",
        ),
        (
            rf"ALTER TABLE {_NAME} ADD CONSTRAINT",
            "the code before it may write what this forbids; add it in a later release",
        ),
        (
            rf"CREATE UNIQUE INDEX .* ON {_NAME}",
            "the code before it may write what this forbids; add it in a later release",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Incompatible:
    path: str
    statement: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.statement}: {self.reason}"


def incompatible(scripts: ScriptDirectory | None = None) -> list[Incompatible]:
    """Everything in the migrations of all features that the code before them would not survive."""
    directory = scripts or ScriptDirectory.from_config(migrate.config())
    return [item for script in directory.walk_revisions() for item in _of(script)]


def _of(script: Script) -> Iterator[Incompatible]:
    if getattr(script.module, "CONTRACT", ""):
        return
    statements = _statements(script)
    created = {
        found[1] for text in statements if (found := re.match(rf"CREATE TABLE {_NAME}", text))
    }
    for statement in statements:
        for pattern, reason in _BREAKS:
            found = pattern.match(statement)
            if found and found[1] not in created:
                shown = " ".join(statement.split())[:100]
                yield Incompatible(Path(script.path).name, shown, reason)


def _statements(script: Script) -> list[str]:
    """The SQL of an upgrade, as it would be sent to PostgreSQL."""
    written = io.StringIO()
    options = {"as_sql": True, "output_buffer": written}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    with Operations.context(context):
        script.module.upgrade()
    return [text.strip() for text in written.getvalue().split(";") if text.strip()]
