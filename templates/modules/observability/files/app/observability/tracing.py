"""The pipeline of spans: made by the code, without what is personal, sent in the background."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from app.core import release
from app.features import NAME
from app.observability.settings import OtelSettings

# Addresses have ids and searches in them; the route says enough.
_PERSONAL = ("url.path", "url.query")


class WithoutPersonalData(SpanProcessor):
    """Blanks attributes before anything is told of a span."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for name in _PERSONAL:
            if name in (span.attributes or {}):
                span.set_attribute(name, "REDACTED")


def provider(settings: OtelSettings) -> TracerProvider:
    """Return the process's own provider. OpenTelemetry lets a process have one, for good."""
    present = trace.get_tracer_provider()
    if isinstance(present, TracerProvider):
        return present
    made = TracerProvider(
        resource=Resource.create(
            {
                "service.name": settings.service_name,
                "service.version": release.current_id() or version(NAME),
            }
        ),
        sampler=ParentBased(TraceIdRatioBased(settings.traces_share)),
    )
    made.add_span_processor(WithoutPersonalData())
    trace.set_tracer_provider(made)
    return made


@asynccontextmanager
async def exporting(settings: OtelSettings) -> AsyncIterator[None]:
    """Send spans while the application runs, and what is left when it stops."""
    endpoint = f"{(settings.exporter_otlp_endpoint or '').rstrip('/')}/v1/traces"
    sending = BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5))
    provider(settings).add_span_processor(sending)
    try:
        yield
    finally:
        await anyio.to_thread.run_sync(sending.shutdown)
