"""Asking the inference server. The model file here decides which answers count."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from app.ai.classifier import Classifier, Prediction
from app.core.egress import Egress, HostRefused
from app.core.metrics import Metrics
from app.core.resilience import CircuitBreaker, CircuitOpen, Deadline, DeadlineExceeded
from app.inference.schemas import Answer
from app.inference.settings import InferenceSettings

if TYPE_CHECKING:
    from httpx2 import AsyncClient

log = structlog.get_logger("app.inference")


class RemoteError(Exception):
    """The server gave no answer that counts."""


class RemoteModel:
    """Predicts as `local` would: by the server, and by `local` when the server cannot."""

    def __init__(
        self,
        settings: InferenceSettings,
        local: Callable[[], Classifier],
        metrics: Metrics,
        egress: Egress,
    ) -> None:
        self._settings = settings
        self._local = local
        self._egress = egress
        self._breaker = CircuitBreaker("inference")
        self._fallbacks = metrics.counter(
            "inference_fallbacks_total", "Answers by the model in this process", ("reason",)
        )

    async def predict(self, text: str, deadline: Deadline | None) -> Prediction:
        """Raises as `local` does when there is no model here; the server's failures stay inside."""
        here = self._local()
        try:
            return await self._breaker.call(lambda: self._ask(text, deadline, here.sha256))
        except (RemoteError, CircuitOpen, DeadlineExceeded) as error:
            self._fallbacks.labels(type(error).__name__).inc()
            log.warning("inference_fallback", reason=str(error))
            return here.predict(text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if "_client" in self.__dict__:
                await self._client.aclose()

    @cached_property
    def _client(self) -> "AsyncClient":
        key = self._settings.key
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        return self._egress.client(base_url=self._settings.url or "", headers=headers)

    async def _ask(self, text: str, deadline: Deadline | None, sha256: str) -> Prediction:
        from httpx2 import HTTPError

        limit = self._settings.timeout_s
        timeout = min(limit, deadline.remaining()) if deadline else limit
        try:
            response = await self._client.post("/classify", json={"text": text}, timeout=timeout)
            if response.status_code != 200:
                raise RemoteError(f"the inference server answered {response.status_code}")
            answer = Answer.model_validate_json(response.content)
        except (HTTPError, HostRefused) as error:
            raise RemoteError(f"the inference server failed: {type(error).__name__}") from error
        except ValidationError as error:
            raise RemoteError("the inference server's answer could not be read") from error
        if answer.model != sha256:
            raise RemoteError(
                f"the inference server has the model {answer.model[:12]}, here it is {sha256[:12]}"
            )
        return Prediction(answer.label, answer.confidence, answer.escalate)
