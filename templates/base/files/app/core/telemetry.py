"""Logs and spans: every line of a request or job carries its correlation id and tenant."""

import logging
import re
import time
import uuid
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.ai import pii
from app.core import release
from app.core.text import printable
from app.core.wall import EVERYBODY, current_tenant
from app.settings import Settings

log = structlog.get_logger("app.access")
tracer = trace.get_tracer("app")

_OF_SEVERAL_LINES = ("exception", "stack")
_OURS = ("timestamp", "level", "_id", "_hash", "tenant", "model")
_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def configure(settings: Settings) -> None:
    """Set up logging for the process. Idempotent."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            name_release,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask_personal_data,
            escape_what_cannot_be_seen,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


def name_release(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Say in each line which release wrote it; without one, nothing."""
    if release_id := release.current_id():
        event["release_id"] = release_id
    return event


def mask_personal_data(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask every text of a log event, tracebacks too. Ids and hashes are ours and stay readable."""
    for key, value in event.items():
        if isinstance(value, str) and not key.endswith(_OURS):
            event[key] = pii.mask(value).text
    return event


def escape_what_cannot_be_seen(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Keep texts of others from steering a terminal, or from looking like lines of their own."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = printable(value, keep="\n" if key in _OF_SEVERAL_LINES else "")
    return event


@contextmanager
def span(name: str, parent: Span = trace.INVALID_SPAN) -> Iterator[Span]:
    """Open a span around a piece of work, in `parent` if that is given. Nobody sees it unless
    something exports spans. Of an error it keeps the type: its text may be somebody's.
    """
    inside = trace.set_span_in_context(parent) if parent.get_span_context().is_valid else None
    with tracer.start_as_current_span(
        name, inside, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception as error:
            failed(current, error)
            raise


def failed(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(StatusCode.ERROR)


def correlation_id_from(headers: MutableMapping[bytes, bytes]) -> str:
    """Take the caller's trace id or request id when it is well formed, else make one."""
    traceparent = headers.get(b"traceparent", b"").decode("latin-1")
    if match := _TRACEPARENT.fullmatch(traceparent):
        return match[1]
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if _CORRELATION_ID.fullmatch(given) else uuid.uuid4().hex


class RequestContextMiddleware:
    """Binds correlation id and tenant, answers with the id, and logs one line per request."""

    def __init__(self, app: ASGIApp, tenant: str) -> None:
        self.app = app
        self.tenant = tenant

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        correlation_id = correlation_id_from(dict(scope["headers"]))
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", correlation_id.encode()),
                ]
            await send(message)

        seen = current_tenant.set(EVERYBODY)
        with structlog.contextvars.bound_contextvars(
            correlation_id=correlation_id, tenant=self.tenant
        ):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                current_tenant.reset(seen)
                # The path's template, not the path: an id or a search may be personal data.
                route: Any = scope.get("route")
                log.info(
                    "request",
                    method=scope["method"],
                    route=getattr(route, "path", "unmatched"),
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                )
