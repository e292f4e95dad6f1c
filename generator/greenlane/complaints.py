"""Mistakes that need not end the reading of a kit: the first is raised, or all are collected."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from greenlane.errors import GreenlaneError

_collected: ContextVar[list[GreenlaneError] | None] = ContextVar("collected", default=None)


def complain(error: GreenlaneError) -> None:
    """Raise `error`; inside `collecting` note it, and the caller goes on without what is wrong."""
    collected = _collected.get()
    if collected is None:
        raise error
    collected.append(error)


@contextmanager
def separately() -> Iterator[None]:
    """A body that may fail without ending the reading of the rest."""
    try:
        yield
    except GreenlaneError as error:
        complain(error)


@contextmanager
def strictly() -> Iterator[None]:
    """In the body the first mistake is raised, even inside `collecting`."""
    token = _collected.set(None)
    try:
        yield
    finally:
        _collected.reset(token)


@contextmanager
def collecting() -> Iterator[list[GreenlaneError]]:
    """Gives the list to which the mistakes found in the body are added."""
    collected: list[GreenlaneError] = []
    token = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(token)
