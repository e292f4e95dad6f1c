"""What a flag says for somebody. Never fails: in doubt it says the default, and that it does."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import structlog
from fastapi import Depends, Request

from app.core.metrics import Metrics
from app.core.principal import Principal
from app.flags.catalogue import Flag
from app.flags.settings import FlagsSettings

if TYPE_CHECKING:
    from openfeature.client import OpenFeatureClient
    from openfeature.evaluation_context import EvaluationContext

log = structlog.get_logger("app.flags")
T = TypeVar("T")
_SAY_EVERY_S = 60

# Name of the experiment, flag, variant, and who saw it.
OnExposure = Callable[[str, str, str, Principal], None]


@dataclass(frozen=True, slots=True)
class Resolved(Generic[T]):
    """`variant` is empty when the value is the default of the code."""

    value: T
    variant: str


class Flags:
    """Flags by OpenFeature. Opens nothing before start(), or the first question."""

    def __init__(
        self,
        settings: FlagsSettings,
        metrics: Metrics,
        on_exposure: OnExposure = lambda *_exposure: None,
    ) -> None:
        self._settings = settings
        self._on_exposure = on_exposure
        # OpenFeature's registry is one for the process; two applications in it share nothing.
        self._domain = uuid.uuid4().hex
        self._client: OpenFeatureClient | None = None
        self._starting = Lock()
        self._said: dict[tuple[str, str], float] = {}
        self._evaluations = metrics.counter(
            "flags_evaluations_total", "Flags that were asked for", ("flag", "variant")
        )
        self._failures = metrics.counter(
            "flags_failures_total", "Flags that fell back to their default", ("flag", "reason")
        )
        self._unusable = metrics.gauge(
            "flags_source_unusable", "1 while the file of flags cannot be used"
        )

    def enabled(self, flag: Flag[bool], principal: Principal) -> bool:
        return self.value(flag, principal)

    def value(self, flag: Flag[T], principal: Principal) -> T:
        return self.resolve(flag, principal).value

    def resolve(self, flag: Flag[T], principal: Principal) -> Resolved[T]:
        """Say the value and which variant it is; exposures to an experiment are noted."""
        client = self._client or self.start()
        evaluate: Callable[..., Any] = getattr(client, _EVALUATE[type(flag.default)])
        found = evaluate(flag.name, flag.default, _context(principal))
        if found.error_code:
            self.failed(flag.name, str(found.error_code.value), found.error_message or "")
            return Resolved(flag.default, "")
        variant = found.variant or ""
        self._evaluations.labels(flag.name, variant or "default").inc()
        experiment = found.flag_metadata.get("experiment")
        if experiment and variant:
            self._on_exposure(str(experiment), flag.name, variant, principal)
        return Resolved(found.value, variant)

    def failed(self, flag: str, reason: str, detail: str) -> None:
        """Count that a flag's value could not be had or used, and say it once a minute."""
        self._failures.labels(flag, reason).inc()
        if monotonic() - self._said.get((flag, reason), float("-inf")) > _SAY_EVERY_S:
            self._said[flag, reason] = monotonic()
            log.error("flag_failed", flag=flag, reason=reason, detail=detail)

    def start(self) -> "OpenFeatureClient":
        """Open the source of flags. Waits two seconds for flagd; later it comes by itself."""
        # Imported here: the application is built without waiting for it.
        from openfeature import api
        from openfeature.exception import OpenFeatureError

        from app.flags.provider import provider

        with self._starting:
            if self._client is None:
                try:
                    api.set_provider_and_wait(
                        provider(self._settings, self._on_trouble), self._domain
                    )
                except OpenFeatureError as error:
                    log.error("flags_source_unusable", detail=f"{self._settings.url}: {error}")
                self._client = api.get_client(self._domain)
        return self._client

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self.start)
        try:
            yield
        finally:
            from openfeature import api
            from openfeature.provider.no_op_provider import NoOpProvider

            api.set_provider(NoOpProvider(), self._domain)
            self._client = None

    def _on_trouble(self, detail: str | None) -> None:
        self._unusable.set(0 if detail is None else 1)
        if detail is not None:
            log.error("flags_source_unusable", detail=detail)


_EVALUATE: Mapping[type, str] = {
    bool: "get_boolean_details",
    str: "get_string_details",
    int: "get_integer_details",
    float: "get_float_details",
    dict: "get_object_details",
}


def _context(principal: Principal) -> "EvaluationContext":
    """What rules can ask: `targetingKey` is the subject; `cohorts` are the roles of a login."""
    from openfeature.evaluation_context import EvaluationContext

    return EvaluationContext(
        principal.subject, {"tenant": principal.tenant, "cohorts": sorted(principal.roles)}
    )


def _flags(request: Request) -> Flags:
    return request.app.state.flags


FlagsDep = Annotated[Flags, Depends(_flags)]
