"""Prometheus metrics: rate, errors and duration of every route, and what features register."""

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response
from fastapi.params import Depends
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 5.0, 10.0)

# Told of each request: method, route's template, status, seconds.
OnAnswer = Callable[[str, str, int, float], None]


class Metrics:
    """A registry of one process. Asking twice for a name gives the same metric."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._known: dict[str, Any] = {}

    def counter(self, name: str, description: str, labels: tuple[str, ...] = ()) -> Counter:
        return self._get(Counter, name, description, labels)

    def gauge(self, name: str, description: str, labels: tuple[str, ...] = ()) -> Gauge:
        return self._get(Gauge, name, description, labels)

    def histogram(
        self,
        name: str,
        description: str,
        labels: tuple[str, ...] = (),
        bounds: tuple[float, ...] = SECONDS,
    ) -> Histogram:
        return self._get(Histogram, name, description, labels, buckets=bounds)

    def render(self) -> bytes:
        return generate_latest(self.registry)

    def _get(
        self, kind: type, name: str, description: str, labels: tuple[str, ...], **options: Any
    ):
        if name not in self._known:
            self._known[name] = kind(name, description, labels, registry=self.registry, **options)
        return self._known[name]


class RedMiddleware:
    """Counts and times requests by route template, so that ids do not become labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics, on_answer: OnAnswer) -> None:
        self.app = app
        self.on_answer = on_answer
        self.requests = metrics.counter(
            "http_requests_total", "Requests answered", ("method", "route", "status")
        )
        self.seconds = metrics.histogram(
            "http_request_seconds", "Time until the answer was complete", ("method", "route")
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            seconds = time.perf_counter() - started
            self.requests.labels(scope["method"], route, status).inc()
            self.seconds.labels(scope["method"], route).observe(seconds)
            self.on_answer(scope["method"], route, status, seconds)


def setup(
    app: FastAPI,
    metrics: Metrics,
    guard: Depends,
    on_answer: OnAnswer = lambda _method, _route, _status, _seconds: None,
) -> None:
    """Measure every request, and show what was measured to those whom `guard` lets in."""
    app.add_middleware(RedMiddleware, metrics=metrics, on_answer=on_answer)

    @app.get("/metrics", include_in_schema=False, dependencies=[guard])
    async def show_metrics() -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)
