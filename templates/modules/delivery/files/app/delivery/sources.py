"""Where observations come from: Prometheus, or the application's own metrics."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import httpx2

from app.delivery.observation import Observation, Seen

REQUESTS, SECONDS = "slo_requests_total", "slo_request_seconds_bucket"

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]


class Source(Protocol):
    async def look(self, now: float) -> Observation | None:
        """What came since the last look; None for the first one. Never raises."""
        ...


class OwnMetrics:
    """The metrics of each process, added up; one that was started anew begins at nothing."""

    def __init__(
        self, addresses: Iterable[str], token: str | None, client: httpx2.AsyncClient
    ) -> None:
        self._addresses = tuple(addresses)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = client
        self._growth = _Growth()

    async def look(self, now: float) -> Observation | None:
        """Read every process; one that does not answer is named in the observation."""
        texts = await asyncio.gather(*map(self._read, self._addresses))
        missing = tuple(
            address for address, text in zip(self._addresses, texts, strict=True) if text is None
        )
        for address, text in zip(self._addresses, texts, strict=True):
            for name, labels, value in _parsed(text or ""):
                self._growth.add(address, name, labels, value)
        return self._growth.observation(now, missing)

    async def _read(self, address: str) -> str | None:
        try:
            response = await self._client.get(address, headers=self._headers)
            return response.raise_for_status().text
        except httpx2.HTTPError:
            return None


class Prometheus:
    """The same counters as Prometheus keeps them, of every process that it scrapes."""

    def __init__(self, address: str, client: httpx2.AsyncClient) -> None:
        self._address = address.rstrip("/")
        self._client = client
        self._growth = _Growth()

    async def look(self, now: float) -> Observation | None:
        """Ask for the counters as they are now. Without an answer, it is named as missing."""
        query = {"query": f'{{__name__=~"{REQUESTS}|{SECONDS}"}}'}
        try:
            response = await self._client.get(f"{self._address}/api/v1/query", params=query)
            found = response.raise_for_status().json()["data"]["result"]
            samples = [(dict(item["metric"]), float(item["value"][1])) for item in found]
        except (httpx2.HTTPError, ValueError, LookupError, TypeError):
            return self._growth.observation(now, (self._address,))
        if not samples:
            return self._growth.observation(now, (f"{self._address}: no {REQUESTS}",))
        for labels, value in samples:
            process = f"{labels.get('job')} {labels.get('instance')}"
            self._growth.add(process, labels.pop("__name__"), labels, value)
        return self._growth.observation(now, ())


class _Growth:
    """By how much counters grew since the last look. A smaller value began again at nothing."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, ...], float] = {}
        self._grown: dict[tuple[str, str], list[Sample]] = defaultdict(list)
        self._processes: set[str] = set()
        self._new: set[str] = set()

    def add(self, process: str, name: str, labels: Labels, value: float) -> None:
        key = (process, name, *sorted(f"{k}={v}" for k, v in labels.items()))
        if process not in self._processes:
            # What it counted before it was first seen is nobody's.
            self._new.add(process)
        before = 0.0 if process not in self._new else value
        before = self._values.get(key, before)
        self._values[key] = value
        grown = value - before if value >= before else value
        self._grown[labels["flow"], labels["release"]].append((name, labels, grown))

    def observation(self, now: float, missing: tuple[str, ...]) -> Observation | None:
        grown, self._grown = self._grown, defaultdict(list)
        is_first = not self._processes
        self._processes |= self._new
        self._new.clear()
        if is_first:
            return None
        flows = tuple(_seen(flow, release, items) for (flow, release), items in grown.items())
        return Observation(at=now, flows=flows, missing=missing)


def _seen(flow: str, release: str, samples: Iterable[Sample]) -> Seen:
    outcomes: dict[str, float] = defaultdict(float)
    below: dict[float, float] = defaultdict(float)
    for name, labels, grown in samples:
        if name == REQUESTS:
            outcomes[labels["outcome"]] += grown
        else:
            below[float(labels["le"])] += grown
    seconds, counted = {}, 0
    for bound in sorted(below):
        if (count := round(below[bound]) - counted) > 0:
            seconds[bound] = count
            counted += count
    return Seen(
        flow=flow,
        release=release,
        requests=round(sum(outcomes.values())),
        errors=round(outcomes["error"]),
        slow=round(outcomes["slow"]),
        seconds=seconds,
    )


def _parsed(text: str) -> Iterator[Sample]:
    from prometheus_client.parser import text_string_to_metric_families

    # The parser is slow, and most of the text is about something else.
    ours = (line for line in text.splitlines() if line.startswith((REQUESTS, SECONDS)))
    for family in text_string_to_metric_families("\n".join(ours) + "\n"):
        for sample in family.samples:
            made: Any = sample
            yield made.name, made.labels, made.value
