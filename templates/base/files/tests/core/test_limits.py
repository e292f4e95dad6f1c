"""Limits by tier: the request beyond is refused, and everybody is told what is left."""

import time
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, Request
from limits import parse
from limits.errors import StorageError

from app.core import limits
from app.core.limits import Counters, Limits, ProcessCounters
from app.core.metrics import Metrics
from app.core.principal import Principal
from app.core.problems import ConfigurationError
from app.main import create_app
from app.settings import Settings

TABLE = """
tiers:
  free: { read: 2/minute, write: 1/minute }
  standard: { read: 100/minute, write: 100/minute }
addresses: { public: 3/minute, login: 1/minute, refused: 2/minute }
"""


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "limits.yaml"
    path.write_text(TABLE)
    return settings.model_copy(update={"limits_file": path})


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """Who is asking says so: `X-Who: tenant tier`."""
    app = create_app(settings)

    async def authenticator(request: Request) -> Principal | None:
        tenant, _, tier = request.headers.get("x-who", "").partition(" ")
        return Principal(tenant, "ada", tier=tier) if tenant else None

    app.state.services.authenticators.append(authenticator)

    @app.get("/things")
    async def things() -> list[str]:
        return []

    @app.post("/things")
    async def change() -> None: ...

    return app


async def answers(
    client: httpx2.AsyncClient, who: str, count: int, method: str = "GET"
) -> list[int]:
    return [
        (await client.request(method, "/things", headers={"X-Who": who})).status_code
        for _ in range(count)
    ]


async def test_a_tier_has_its_number_and_the_next_request_is_refused(
    client: httpx2.AsyncClient,
) -> None:
    first = await client.get("/things", headers={"X-Who": "a free"})
    assert {k: v for k, v in first.headers.items() if k.startswith("ratelimit")} == {
        "ratelimit-policy": '"read";q=2;w=60',
        "ratelimit-limit": "2",
        "ratelimit-remaining": "1",
        "ratelimit-reset": "60",
    }
    assert await answers(client, "a free", 1) == [200]
    beyond = await client.get("/things", headers={"X-Who": "a free"})
    assert beyond.status_code == 429
    assert beyond.headers["content-type"] == "application/problem+json"
    assert 1 <= int(beyond.headers["retry-after"]) <= 60
    assert beyond.headers["ratelimit-remaining"] == "0"
    assert 'rate_limited_requests_total{limit="read"} 1.0' in (await client.get("/metrics")).text


async def test_tenants_and_kinds_are_counted_apart(client: httpx2.AsyncClient) -> None:
    assert await answers(client, "a free", 3) == [200, 200, 429]
    assert await answers(client, "b free", 1) == [200]
    assert await answers(client, "a free", 2, "POST") == [200, 429]
    assert await answers(client, "gold standard", 20) == [200] * 20
    assert await answers(client, "c no-such-tier", 3) == [200] * 3, "it has the usual contract"


async def test_55_failed_attempts_to_get_in_are_counted_by_address(
    client: httpx2.AsyncClient,
) -> None:
    wrong = {"Authorization": "Bearer guess"}
    seen = [(await client.get("/things", headers=wrong)) for _ in range(3)]
    assert [response.status_code for response in seen] == [401, 401, 429]
    assert "retry-after" in seen[-1].headers
    assert (await client.get("/things")).status_code == 200, "who is known is not shut out"


async def test_what_is_public_is_counted_by_address(client: httpx2.AsyncClient) -> None:
    seen = [(await client.get("/healthz")).status_code for _ in range(4)]
    assert seen == [200, 200, 200, 429]


async def test_without_the_shared_counters_each_process_counts(settings: Settings) -> None:
    class Gone:
        async def incr(self, key: str, expiry: int) -> int:
            raise StorageError(OSError("connection refused"))

        get_expiry = ProcessCounters.get_expiry
        close = ProcessCounters.close

    made = Limits(limits.load(settings.limits_file), "mem://", Metrics())
    made._counters = Gone()
    request = Request({"type": "http", "headers": []})
    await made.count(request, "read", parse("1/minute"), "a")
    with pytest.raises(limits.AppError):
        await made.count(request, "read", parse("1/minute"), "a")


async def test_a_window_ends_and_old_ones_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    counters, now = ProcessCounters(), time.time()
    monkeypatch.setattr(limits.time, "time", lambda: now)
    assert [await counters.incr("a", 60) for _ in range(2)] == [1, 2]
    now += 61
    monkeypatch.setattr(limits, "_SWEEP_AT", 1)
    assert await counters.incr("b", 60) == 1
    assert list(counters._windows) == ["b"]
    assert await counters.incr("a", 60) == 1


async def test_a_count_costs_microseconds(settings: Settings) -> None:
    made = Limits(limits.load(settings.limits_file), "mem://", Metrics())
    request = Request({"type": "http", "headers": []})
    limit = parse("100000/minute")
    rounds = []
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(200):
            await made.count(request, "read", limit, "a")
        rounds.append((time.perf_counter() - started) / 200)
    assert min(rounds) < 100e-6, f"{min(rounds) * 1e6:.0f} µs"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("standard:", "usual:"), "standard is missing"),
        (("read: 2/minute, write", "read: 2/minute, other"), "the same kinds"),
        (("public:", "open:"), "public and refused"),
        (("2/minute", "often"), "couldn't parse"),
    ],
)
def test_a_mistake_in_the_file_is_named(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(TABLE.replace(*change))
    with pytest.raises(ConfigurationError, match=message):
        limits.load(path)


def test_redis_is_spoken_by_the_client_that_is_there() -> None:
    pytest.importorskip("redis")
    counters: Counters = Limits(
        limits.load(Path("limits.yaml")), "redis://127.0.0.1:1/0", Metrics()
    )._counters
    assert type(counters).__name__ == "SharedCounters"


def test_69_addresses_of_one_customer_count_as_one() -> None:
    one = {limits.neighbourhood(f"2001:db8:1:2:{n:x}::{n:x}") for n in range(50)}
    assert one == {"2001:db8:1:2::/64"}
    assert limits.neighbourhood("2001:db8:1:3::1") not in one
    for address in ("192.0.2.7", "::ffff:192.0.2.7"):
        assert limits.neighbourhood(address) == "192.0.2.7"
    assert limits.neighbourhood("testclient") == "testclient"


async def test_69_many_addresses_cost_no_more_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SWEEP_AT", 100)
    counters = ProcessCounters()
    swept = 0
    for n in range(1_000):
        before = counters._windows
        await counters.incr(str(n), 60)
        swept += counters._windows is not before
    assert swept < 10
