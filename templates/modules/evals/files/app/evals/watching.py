"""Sees what goes to a model: which requests a case sent, and which had no recording."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from app.ai.model import Chunk, Model, ModelReply, ModelRequest
from app.ai.recordings import RecordingError
from app.core.resilience import Deadline

_sent: ContextVar[list[ModelRequest] | None] = ContextVar("sent", default=None)


@contextmanager
def requests_sent() -> Iterator[list[ModelRequest]]:
    """Collect the requests that reach a watched model inside the block, in this task."""
    sent: list[ModelRequest] = []
    token = _sent.set(sent)
    try:
        yield sent
    finally:
        _sent.reset(token)


class WatchedModel:
    """Passes everything on to `inner`.

    The gateway's breaker opens after a few failures and then no longer asks, and a route may have
    another model to go on with; so misses are kept here, where none is lost.
    """

    def __init__(self, inner: Model) -> None:
        self._inner = inner
        self.misses: list[str] = []

    @property
    def name(self) -> str:
        return self._inner.name

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply:
        self._note(request)
        try:
            return await self._inner.complete(request, deadline)
        except RecordingError as error:
            self.misses.append(str(error))
            raise

    async def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]:
        self._note(request)
        try:
            async for chunk in self._inner.stream(request, deadline):
                yield chunk
        except RecordingError as error:
            self.misses.append(str(error))
            raise

    def _note(self, request: ModelRequest) -> None:
        if (sent := _sent.get()) is not None:
            sent.append(request)
