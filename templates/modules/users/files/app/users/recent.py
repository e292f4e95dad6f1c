"""What the directory said a moment ago: a program that asks often does not ask it each time."""

import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from sqlalchemy import event
from sqlalchemy.orm import Session

from app.users.models import Client, Mapping, Member, Tenant

T = TypeVar("T")
# A change that another process makes counts here after so long, at the latest.
LASTS_S = 5.0
_LIMIT = 10_000
_CHANGED = "people changed"


class _Changes:
    """How often this process has changed what the directory says."""

    count = 0


@event.listens_for(Session, "after_flush")
def _note(session: Session, _context: object) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, (Client, Mapping, Member, Tenant)):
            session.info[_CHANGED] = True


@event.listens_for(Session, "after_commit")
def _count(session: Session) -> None:
    if session.info.pop(_CHANGED, False):
        _Changes.count += 1


class Recent(Generic[T]):
    """Answers that are `LASTS_S` old at most, and never older than a change by this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[Hashable, tuple[float, int, T]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        # Before asking: an answer that was overtaken by a change is not kept.
        now, changes = self._clock(), _Changes.count
        until, known_at, answer = self._found.get(key, (0.0, -1, None))
        if answer is not None and now < until and known_at == changes:
            return answer
        made = await ask()
        if len(self._found) >= _LIMIT:
            self._found.clear()
        self._found[key] = (now + LASTS_S, changes, made)
        return made
