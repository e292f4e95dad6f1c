"""A limit on the time that a kit's own code, its templates and patterns, may take."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from greenlane.errors import GreenlaneError


class _TookTooLong(BaseException):
    """Not an Exception, so that nothing on the way up takes it for an ordinary failure."""


@contextmanager
def time_limit(seconds: float, shown: str) -> Iterator[None]:
    """Raise GreenlaneError, naming `shown`, when the body takes longer.

    Works by SIGALRM, which interrupts Jinja and the regular expression engine alike, and so only in
    the main thread; in another one there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: object) -> None:
        raise _TookTooLong

    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, interrupt)
    outer, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TookTooLong:
        raise GreenlaneError(
            f"{shown} took more than {seconds:g} s and was stopped.",
            "Simplify it; a kit's templates and patterns should take milliseconds.",
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if outer:
            # Somebody else's alarm was running: let it ring when it would have.
            left = max(outer - (time.monotonic() - started), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, interval)
