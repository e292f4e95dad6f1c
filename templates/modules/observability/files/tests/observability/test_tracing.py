"""What leaves the process: the stages of a request, who answered and for how much, and no text."""

import gzip
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from fastapi import FastAPI
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.ai.meter import Generation, Meter
from app.core import telemetry
from app.core.metrics import Metrics
from app.main import create_app
from app.observability.settings import OtelSettings
from app.observability.tracing import provider
from app.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def exporter() -> InMemorySpanExporter:
    memory = InMemorySpanExporter()
    provider(OtelSettings(_env_file=None)).add_span_processor(SimpleSpanProcessor(memory))
    return memory


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def generation(app: FastAPI) -> Generation:
    return Generation("sort", "north", app.state.services.gateway.release)


async def test_a_generation_has_its_stages_inside_and_says_what_it_took(
    app: FastAPI, spans: InMemorySpanExporter
) -> None:
    done = generation(app)
    for stage in ("cache", "retrieve", "model"):
        with done.stage(stage):
            pass
    done.used(7, 3, 0.25)
    done.model, done.prompt_hash, done.outcome = "large-1", "abc", "ok"
    Meter(Metrics()).record(done)
    *stages, whole = spans.get_finished_spans()
    assert [span.name for span in stages] == ["cache", "retrieve", "model"]
    assert whole.context
    assert {span.parent.span_id for span in stages if span.parent} == {whole.context.span_id}
    found = attributes(whole)
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (7, 3)
    assert (found["gen_ai.response.model"], found["app.prompt.hash"]) == ("large-1", "abc")
    assert (found["app.cost_usd"], found["app.outcome"]) == (0.25, "ok")


async def test_a_request_and_its_transaction_are_one_trace_of_the_callers(
    app: FastAPI, client: httpx2.AsyncClient, spans: InMemorySpanExporter
) -> None:
    @app.get("/things/{name}")
    async def thing(name: str) -> dict[str, str]:
        async with app.state.services.database.session():
            return {"name": name}

    spans.clear()
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    answer = await client.get("/things/anna?search=anna", headers=headers)
    await client.get("/healthz")
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == trace_id
    found = {span.name: span for span in spans.get_finished_spans()}
    assert {"GET /things/{name}", "fastapi.dependencies", "persist"} <= found.keys()
    traces = {span.context.trace_id for span in found.values() if span.context}
    assert traces == {int(trace_id, 16)}
    assert "anna" not in str([attributes(span) for span in found.values()])


async def test_of_an_error_only_the_type_is_told(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), telemetry.span("model"):
        raise ValueError("a secret of anna")
    (span,) = spans.get_finished_spans()
    assert attributes(span) == {"error.type": "ValueError"}
    assert not span.status.is_ok
    assert "secret" not in span.to_json()


@pytest.fixture
async def collector() -> AsyncIterator[tuple[str, list[str]]]:
    """The address of a collector, and the names of the spans that it was sent."""
    names: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            sent = ExportTraceServiceRequest.FromString(body)
            for resource in sent.resource_spans:
                for scope in resource.scope_spans:
                    names.extend(f"{self.path} {span.name}" for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:  # pyrefly: ignore[bad-override]
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", names
        server.shutdown()
        thread.join()


async def test_by_its_setting_the_application_sends_spans(
    collector: tuple[str, list[str]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, names = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        with telemetry.span("planted"):
            pass
    assert "/v1/traces planted" in names
