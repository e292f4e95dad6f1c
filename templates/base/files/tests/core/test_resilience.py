"""Deadlines, breaker, retries."""

import pytest

from app.core.resilience import CircuitBreaker, CircuitOpen, Deadline, DeadlineExceeded
from app.core.resilience import retry_idempotent as retry


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Upstream:
    def __init__(self, *outcomes: Exception | str) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_breaker_opens_rests_probes_and_closes() -> None:
    clock, seen = Clock(), []
    breaker = CircuitBreaker(
        "m", failures=3, rest=10, clock=clock, on_change=lambda _, state: seen.append(state)
    )
    failing = Upstream(*[OSError()] * 4)
    for _ in range(3):
        with pytest.raises(OSError):
            await breaker.call(failing)
    with pytest.raises(CircuitOpen):
        await breaker.call(failing)
    assert failing.calls == 3
    clock.now = 10
    with pytest.raises(OSError):
        await breaker.call(failing)
    with pytest.raises(CircuitOpen):
        await breaker.call(failing)
    clock.now = 20
    assert await breaker.call(Upstream("fine")) == "fine"
    assert seen == ["open", "half-open", "open", "half-open", "closed"]


async def test_a_half_open_breaker_lets_one_probe_through() -> None:
    clock = Clock()
    breaker = CircuitBreaker("m", failures=1, rest=1, clock=clock)
    breaker.failed()
    clock.now = 1
    breaker.before()
    with pytest.raises(CircuitOpen):
        breaker.before()


async def test_retry_repeats_what_may_be_repeated_and_nothing_else() -> None:
    upstream = Upstream(OSError(), OSError(), "fine")
    result = await retry(upstream, on=OSError, deadline=Deadline.after(5), wait_initial=0.001)
    assert (result, upstream.calls) == ("fine", 3)
    other = Upstream(ValueError(), "never")
    with pytest.raises(ValueError):
        await retry(other, on=OSError, deadline=Deadline.after(5), wait_initial=0.001)
    assert other.calls == 1


async def test_a_passed_deadline_is_refused() -> None:
    with pytest.raises(DeadlineExceeded):
        Deadline.after(0).remaining()
    assert Deadline.after(1).at_most(100).remaining() <= 1
