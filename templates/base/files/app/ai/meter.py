"""What every generation took: metrics by request class and model, and one log event each."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from opentelemetry.trace import Span

from app.ai.release import Release
from app.core import telemetry
from app.core.metrics import Metrics

log = structlog.get_logger("app.ai")

_TENANTS = 100


@dataclass(slots=True)
class Generation:
    """One request through the gateway, filled in as it goes.

    `asked` is masked; it and `result` are for who copies requests, and are never logged.
    """

    request_class: str
    tenant: str
    release: Release
    prompt: str = ""
    prompt_hash: str | None = None
    temperature: float | None = None
    model: str = ""
    route: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    cached: bool = False
    fallbacks: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    outcome: str = "error"
    asked: Mapping[str, object] = field(default_factory=dict)
    result: object = None
    stages: dict[str, float] = field(default_factory=dict)
    # Never the current one: an answer that is streamed changes hands between its pieces.
    span: Span = field(default_factory=lambda: telemetry.tracer.start_span("generation"))
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage: cache, retrieve or model. Milliseconds, summed over attempts."""
        began = time.perf_counter()
        try:
            with telemetry.span(name, self.span):
                yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + (time.perf_counter() - began) * 1000

    def used(self, tokens_in: int, tokens_out: int, cost_usd: float) -> None:
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.cost_usd += cost_usd

    @property
    def prompt_version(self) -> str:
        return f"{self.prompt}@{self.prompt_hash[:8]}" if self.prompt_hash else "none"

    @property
    def latency_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000


class Meter:
    """Counts generations. Cost per successful answer is ai_cost_usd_total over outcome="ok"."""

    def __init__(self, metrics: Metrics) -> None:
        # Told of each generation when it is over; must be quick, and must not fail.
        self.listeners: list[Callable[[Generation], None]] = []
        by_class = ("request_class",)
        by_answer = (*by_class, "model", "release", "prompt")
        self._requests = metrics.counter(
            "ai_requests_total", "Requests to the gateway", (*by_answer, "route", "outcome")
        )
        self._tokens = metrics.counter(
            "ai_tokens_total", "Tokens that models counted", (*by_answer, "direction")
        )
        self._cost = metrics.counter("ai_cost_usd_total", "US dollars", by_answer)
        self._seconds = metrics.histogram(
            "ai_request_seconds", "Time to the whole answer", by_answer
        )
        self._spent = metrics.counter(
            "ai_tenant_cost_usd_total", "US dollars by tenant", ("tenant",)
        )
        self._tenants: set[str] = set()
        self._cache = metrics.counter("ai_cache_requests_total", "Look-ups", (*by_class, "result"))
        self._failures = metrics.counter(
            "ai_model_failures_total",
            "Models that were passed over",
            (*by_class, "model", "reason"),
        )
        self._findings = metrics.counter("ai_findings_total", "What checks found", ("kind",))
        self._breakers = metrics.gauge(
            "ai_breaker_open", "1 while a model is left alone", ("model",)
        )

    def failure(self, request_class: str, model: str, reason: str) -> None:
        self._failures.labels(request_class, model, reason).inc()

    def breaker(self, model: str, state: str) -> None:
        self._breakers.labels(model).set(0 if state == "closed" else 1)
        log.warning("breaker", model=model, state=state)

    def cache(self, request_class: str, *, hit: bool) -> None:
        self._cache.labels(request_class, "hit" if hit else "miss").inc()

    def record(self, done: Generation) -> None:
        labels = (done.request_class, done.model or "none", done.release.name, done.prompt_version)
        self._requests.labels(*labels, done.route or "none", done.outcome).inc()
        self._tokens.labels(*labels, "in").inc(done.tokens_in)
        self._tokens.labels(*labels, "out").inc(done.tokens_out)
        self._cost.labels(*labels).inc(done.cost_usd)
        self._seconds.labels(*labels).observe(done.latency_ms / 1000)
        self._spent.labels(self._known(done.tenant)).inc(done.cost_usd)
        for kind in done.findings:
            self._findings.labels(kind).inc()
        done.span.set_attributes(_attributes(done))
        done.span.end()
        log.info(
            "generation",
            request_class=done.request_class,
            tenant=done.tenant,
            release=done.release.name,
            prompt=done.prompt,
            prompt_hash=done.prompt_hash,
            temperature=done.temperature,
            model=done.model,
            route=done.route,
            tokens_in=done.tokens_in,
            tokens_out=done.tokens_out,
            cost_usd=round(done.cost_usd, 6),
            cached=done.cached,
            fallbacks=done.fallbacks,
            findings=done.findings,
            outcome=done.outcome,
            stages={name: round(ms, 1) for name, ms in done.stages.items()},
            latency_ms=round(done.latency_ms, 1),
        )
        for listener in self.listeners:
            listener(done)

    def _known(self, tenant: str) -> str:
        """The first tenants by name, the others together: labels must not grow without end."""
        if len(self._tenants) < _TENANTS:
            self._tenants.add(tenant)
        return tenant if tenant in self._tenants else "others"


def _attributes(done: Generation) -> dict[str, str | int | float | bool]:
    """What a span says of a generation: by OpenTelemetry's names where there are any, no text."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.model": done.model,
        "gen_ai.usage.input_tokens": done.tokens_in,
        "gen_ai.usage.output_tokens": done.tokens_out,
        "app.cached": done.cached,
        "app.cost_usd": done.cost_usd,
        "app.outcome": done.outcome,
        "app.prompt.hash": done.prompt_hash or "",
        "app.prompt.name": done.prompt,
        "app.release": done.release.name,
        "app.request_class": done.request_class,
        "app.route": done.route,
        "app.tenant": done.tenant,
    }
