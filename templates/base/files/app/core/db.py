"""The database: one transaction per request or job."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from sqlalchemy import DateTime, MetaData, event
from sqlalchemy.engine import Dialect, ExceptionContext, make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from app.core import telemetry, wall
from app.core.problems import AppError

log = structlog.get_logger(__name__)

# How long a writer waits for its turn, in seconds.
_PATIENCE_S = 10

# What PostgreSQL says of a value (SQLSTATE): too long, out of range, characters that it has not.
_UNSTORABLE = frozenset({"22001", "22003", "22021", "22P05"})

# The transaction that the current request or job is in: what joins it commits or fails with it.
current_session: ContextVar[AsyncSession | None] = ContextVar("current_session", default=None)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite stores no time zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Base(DeclarativeBase):
    """Every table's base. The naming convention lets migrations name constraints portably."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012  read by SQLAlchemy from the class


def utcnow() -> datetime:
    return datetime.now(UTC)


class Database:
    """Engine and sessions. A session is one transaction: it commits, or an error rolls it back."""

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_async_engine(url, pool_pre_ping=not self.is_sqlite)
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _configure_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine.sync_engine, "begin", wall.enter)
        event.listen(self.engine.sync_engine, "handle_error", _refuse_what_cannot_be_stored)
        reading = self.engine.execution_options(read_only=True, walled=True)
        writing = self.engine.execution_options(walled=True)
        # SQLite has one writer, and who waits for it looks again ever more rarely, up to 0.1 s.
        # So the writers of a process take turns; only other processes are waited for that way.
        self._writing = asyncio.Lock() if self.is_sqlite else None
        self._writing_sessions = async_sessionmaker(writing, expire_on_commit=False)
        self._reading_sessions = async_sessionmaker(reading, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that may write, and make it the current one."""
        async with self._turn(), self._writing_sessions() as session, session.begin():
            token = current_session.set(session)
            try:
                yield session
                with telemetry.span("persist"):
                    await session.commit()
            finally:
                current_session.reset(token)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._writing is None:
            yield
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._writing.acquire()
        except TimeoutError as error:
            raise TimeoutError("the database was busy, or a transaction opened another") from error
        try:
            yield
        finally:
            self._writing.release()

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction that only reads: it never waits for a writer."""
        async with self._reading_sessions() as session, session.begin():
            yield session

    async def close(self) -> None:
        await self.engine.dispose()


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes too late for IMMEDIATE; _begin_sqlite sends ours.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=wal",
        "synchronous=normal",
        "busy_timeout=10000",
        "foreign_keys=on",
    ):
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A transaction that reads first and writes later fails at once when another wrote in between;
    # IMMEDIATE makes it wait its turn instead.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("begin" if read_only else "begin immediate")


def _refuse_what_cannot_be_stored(context: ExceptionContext) -> None:
    """Raise AppError 422 for a value that no column can hold: too long, NUL, half a character.

    Such a value came from outside, however it came: each place that takes one need not know what
    the databases cannot store.
    """
    error: BaseException | None = context.original_exception
    while error is not None:
        if isinstance(error, (UnicodeError, OverflowError)) or (
            getattr(error, "sqlstate", None) in _UNSTORABLE
        ):
            log.warning("value_refused", error=type(error).__name__, statement=context.statement)
            raise AppError(
                422, "Cannot be stored", "A value is too long, too large, or holds odd characters."
            )
        error = error.__cause__


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.services.database.session() as session:
        yield session


async def _reader(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.services.database.reader() as session:
        yield session


# The scope "function" commits before the response leaves: who got an answer finds the row.
SessionDep = Annotated[AsyncSession, Depends(_session, scope="function")]
ReaderDep = Annotated[AsyncSession, Depends(_reader, scope="function")]
