"""Changing a flag: the audit first, then the file, which is replaced as a whole."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.log import entries, record
from app.audit.models import AuditEntry
from app.core.db import Database
from app.core.principal import Principal
from app.core.problems import ConfigurationError
from app.flags.document import Definition, problems, read, text

Alter = Callable[[Definition], Definition]
_TARGET = "flag:"


async def change(
    database: Database,
    path: Path,
    flag: str,
    alter: Alter,
    *,
    principal: Principal,
    reason: str,
) -> AuditEntry | None:
    """Alter one flag of the file. Return what is in the audit, None when nothing changes.

    The entry is committed before the file is replaced, so that no change is without one. Raises
    ConfigurationError, with the file as it was, when either cannot be written.
    """
    document = read(path)
    if flag not in document["flags"]:
        raise ConfigurationError(f"no flag {flag!r}; there are: {', '.join(document['flags'])}")
    before = document["flags"][flag]
    after = alter(before)
    if after == before:
        return None
    altered = {**document, "flags": {**document["flags"], flag: after}}
    if mistakes := problems(altered):
        raise ConfigurationError("; ".join(mistakes))
    unfinished = _written_beside(path, text(altered))
    try:
        async with database.session() as session:
            entry = await record(
                session,
                principal,
                "flag.change",
                _TARGET + flag,
                before=before,
                after=after,
                reason=reason,
            )
            if read(path) != document:
                raise ConfigurationError(f"{path} was changed by somebody else; try again")
        unfinished.replace(path)
    except SQLAlchemyError as error:
        raise ConfigurationError(
            f"the change could not be audited, so it was not made ({type(error).__name__}). "
            f"See `app db upgrade`; in an emergency edit {path}, which is read again at once"
        ) from error
    except OSError as error:
        raise ConfigurationError(_unwritable(path, error)) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return entry


async def changes(session: AsyncSession, flag: str | None, limit: int | None) -> list[AuditEntry]:
    """The newest first, of one flag or of all."""
    query = entries(action="flag.change", target=_TARGET + flag if flag else "")
    return list(await session.scalars(query.limit(limit)))


def flag_of(entry: AuditEntry) -> str:
    """The name of the flag that an entry of the audit is about."""
    return entry.target.removeprefix(_TARGET)


def _written_beside(path: Path, content: str) -> Path:
    """Write to the disk that holds `path`, so that it can be replaced in one step."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise ConfigurationError(_unwritable(path, error)) from error
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # The temporary file is for its owner alone; who could read flags can go on.
        unfinished.chmod(path.stat().st_mode)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise ConfigurationError(_unwritable(path, error)) from error
    return unfinished


def _unwritable(path: Path, error: OSError) -> str:
    return (
        f"cannot write {path}: {error.strerror}. FLAGS_FILE may name a file in a folder that can "
        "be written"
    )
