"""What every model looks like to the gateway."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from app.core.resilience import Deadline

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call. `variables` are what the prompt was compiled from, already masked: a model without
    a language model inside reads them; they are never sent and are no part of the key.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None = 0.0
    seed: int | None = None
    schema: Mapping[str, Any] | None = None
    variables: Mapping[str, object] = field(default_factory=dict)

    def canonical(self) -> dict[str, Any]:
        """Return all that decides the answer, as plain data."""
        return {
            "model": self.model,
            "messages": [[message.role, message.content] for message in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
            "schema": self.schema,
        }

    @property
    def key(self) -> str:
        """SHA-256 of the canonical request."""
        text = json.dumps(self.canonical(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ModelReply:
    """`model` is what the provider says answered; `finish` is "stop", "length" or "handover"."""

    text: str
    tokens_in: int
    tokens_out: int
    model: str
    finish: str = "stop"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a streamed answer. The last one has no text but the whole reply."""

    text: str
    reply: ModelReply | None = None


class ModelError(Exception):
    """The model gave no usable answer. `retryable`: the same call may succeed a moment later."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class Model(Protocol):
    """Raises ModelError, or DeadlineExceeded when the time is used up."""

    @property
    def name(self) -> str: ...

    async def complete(self, request: ModelRequest, deadline: Deadline) -> ModelReply: ...

    def stream(self, request: ModelRequest, deadline: Deadline) -> AsyncIterator[Chunk]: ...
