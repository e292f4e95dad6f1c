"""Deadlines, circuit breakers, and retries that never repeat a write."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import stamina

T = TypeVar("T")
State = Literal["closed", "open", "half-open"]


class DeadlineExceeded(TimeoutError):  # noqa: N818  the field's name for it
    """The time given for a request is used up."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock by which an answer is due. Handed down, never renewed."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left; raise DeadlineExceeded when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the deadline has passed")
        return left

    def at_most(self, seconds: float) -> "Deadline":
        """Return the earlier of this deadline and one `seconds` from now."""
        return Deadline(min(self.at, time.monotonic() + seconds))


class CircuitOpen(Exception):  # noqa: N818  the field's name for it
    """A dependency failed too often of late and is left alone for a while."""


class CircuitBreaker:
    """Opens after `failures` in a row; after `rest` seconds lets one call through to probe.

    Not shared between processes: each finds out for itself, which takes `failures` calls.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        rest: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, State], None] = lambda _name, _state: None,
    ) -> None:
        self.name = name
        self.state: State = "closed"
        self._limit = failures
        self._rest = rest
        self._clock = clock
        self._on_change = on_change
        self._failed = 0
        self._opened_at = 0.0

    async def call(self, action: Callable[[], Awaitable[T]]) -> T:
        """Run `action`, or raise CircuitOpen without running it."""
        self.before()
        try:
            result = await action()
        except Exception:
            self.failed()
            raise
        except BaseException:
            # Cancelled: says nothing about the dependency, but a probe must not stay half-open.
            if self.state == "half-open":
                self._open()
            raise
        self.succeeded()
        return result

    def before(self) -> None:
        """Raise CircuitOpen unless a call may go out now; then say succeeded() or failed()."""
        if self.state == "open" and self._clock() - self._opened_at >= self._rest:
            self._change("half-open")
            return
        if self.state != "closed":
            raise CircuitOpen(f"{self.name} failed {self._failed} times in a row and is resting")

    def succeeded(self) -> None:
        self._failed = 0
        if self.state != "closed":
            self._change("closed")

    def failed(self) -> None:
        self._failed += 1
        if self.state == "half-open" or self._failed >= self._limit:
            self._open()

    def _open(self) -> None:
        self._opened_at = self._clock()
        self._change("open")

    def _change(self, state: State) -> None:
        self.state = state
        self._on_change(self.name, state)


async def retry_idempotent(
    action: Callable[[], Awaitable[T]],
    *,
    on: type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool],
    deadline: Deadline,
    attempts: int = 3,
    wait_initial: float = 0.1,
) -> T:
    """Run `action` again, with growing and jittered pauses, while `on` says so and time is left.

    Only for calls that may happen twice: reads, and writes under an idempotency key.
    """
    async for attempt in stamina.retry_context(
        on=on,
        attempts=attempts,
        timeout=deadline.remaining(),
        wait_initial=wait_initial,
        wait_max=2.0,
    ):
        with attempt:
            return await action()
    raise AssertionError("unreachable: stamina raises the last error")
