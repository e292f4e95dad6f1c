"""Which feature handles which type of event, and reading an event from a body."""

import importlib
import importlib.util
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncSession

from app.services import Services

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class EventHandler(Generic[M]):
    """`model` is the shape of the event's `data`; `handle(services, session, tenant, data)` acts on
    it inside the transaction that also notes the delivery: an error undoes both, and the sender
    tries again.
    """

    model: type[M]
    handle: Callable[[Services, AsyncSession, str, M], Awaitable[None]]


Handlers = Mapping[str, EventHandler[Any]]


class Envelope(BaseModel):
    """What is around every event."""

    type: str = Field(min_length=1, max_length=128)
    data: dict[str, Any]


class Malformed(Exception):  # noqa: N818  says what it is
    """No handler may see this event. `kind` is safe to log; `reason` may quote the sender."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.reason = reason


def collect(features: Iterable[str]) -> dict[str, EventHandler[Any]]:
    """Return HANDLERS of every feature's `events.py`. Raises ValueError on two for one type."""
    found: dict[str, EventHandler[Any]] = {}
    owners: dict[str, str] = {}
    for feature in features:
        name = f"{feature}.events"
        if importlib.util.find_spec(name) is None:
            continue
        for kind, handler in importlib.import_module(name).HANDLERS.items():
            if kind in found:
                raise ValueError(f"events {kind!r} are handled by {owners[kind]} and by {name}")
            found[kind], owners[kind] = handler, name
    return found


def read(body: bytes, handlers: Handlers) -> tuple[str, BaseModel]:
    """Return the event's type and its data, validated. Raises Malformed."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed("no_json", str(error)) from None
    if _has_nul(value):
        raise Malformed("nul_character", "a text contains the character NUL")
    try:
        envelope = Envelope.model_validate(value)
    except ValidationError as error:
        raise Malformed("no_event", _explain(error)) from None
    handler = handlers.get(envelope.type)
    if handler is None:
        raise Malformed("unknown_type", f"nothing handles events of type {envelope.type}")
    try:
        return envelope.type, handler.model.model_validate(envelope.data)
    except ValidationError as error:
        raise Malformed("wrong_fields", _explain(error)) from None


def _has_nul(value: Any) -> bool:
    # PostgreSQL stores no NUL in a text: the handler would fail for ever instead of once.
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))


def _explain(error: ValidationError) -> str:
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in errors)
