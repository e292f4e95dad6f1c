"""Runs many tasks on executors, and goes on when workers are lost.

A pool of processes breaks as a whole when one of them is killed, and does not say over which task;
and CPython 3.11 hangs when another process is being started just then. So each process is a
pool of its own with one task at a time. A Dask cluster starts lost tasks again by itself.
"""

import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenlane.errors import GreenlaneError

Task = dict[str, Any]
Result = dict[str, Any]
_ADDRESS = re.compile(r"(tcp|tls|wss?)://[^/\s]+:[0-9]{1,5}")
_LOST = "The process that worked on it ended twice before it was done: killed, or out of memory."


@dataclass(frozen=True, slots=True)
class Pool:
    """How to make an executor, how many of them, and how many tasks each has at a time."""

    make: Callable[[], Executor]
    lanes: int = 1
    room: int = 1


class _Lane:
    """An executor that is made anew when it broke, and how many tasks it has."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._executor = make()
        self.tasks = 0

    def submit(self, work: Callable[[Task], Result], task: Task) -> Future[Result]:
        self.tasks += 1
        try:
            return self._executor.submit(work, task)
        except BrokenExecutor:
            self.close()
            self._executor = self._make()
            return self._executor.submit(work, task)

    def close(self) -> None:
        try:
            self._executor.shutdown(wait=True, cancel_futures=True)
        except TypeError:  # Dask's knows no such option, and cancels when it does not wait
            self._executor.shutdown(wait=False)


def run(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    pool: Pool,
    tell: Callable[[int, Result], None],
    failed: Callable[[Task, str], Result],
) -> None:
    """Do `work` on every task and `tell` its number and result as soon as there is one.

    What a task raises becomes the result that `failed` makes of it and of a sentence. When this is
    left early, by Ctrl-C or an error in `tell`, tasks under way come to their end first.
    """
    waiting = deque(range(len(tasks)))
    losses: Counter[int] = Counter()
    running: dict[Future[Result], tuple[int, _Lane]] = {}
    lanes = [_Lane(pool.make) for _ in range(pool.lanes)]
    try:
        while waiting or running:
            for lane in lanes:
                while waiting and lane.tasks < pool.room:
                    number = waiting.popleft()
                    running[lane.submit(work, tasks[number])] = number, lane
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, lane = running.pop(future)
                lane.tasks -= 1
                try:
                    result = future.result()
                except BrokenExecutor:
                    losses[number] += 1
                    if losses[number] == 1:
                        waiting.append(number)
                        continue
                    result = failed(tasks[number], _LOST)
                except Exception as error:
                    result = failed(tasks[number], f"{type(error).__name__}: {error}")
                tell(number, result)
    finally:
        for lane in lanes:
            lane.close()


@contextmanager
def processes(jobs: int) -> Iterator[Pool]:
    """Processes of this machine. They end with this one, whatever becomes of it."""
    import multiprocessing
    import tempfile
    from concurrent.futures import ProcessPoolExecutor

    # The server imports once what its forks then share: half the memory of fresh interpreters.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["greenlane.fleet.work", "jinja2", "tomlkit", "yaml"])
    with tempfile.TemporaryDirectory(prefix="greenlane-fleet-", ignore_cleanup_errors=True) as name:

        def make() -> Executor:
            return ProcessPoolExecutor(
                1, mp_context=context, initializer=_start, initargs=(Path(name),)
            )

        yield Pool(make, lanes=jobs)


def _start(temporary: Path) -> None:
    """Ctrl-C is the parent's to handle; what a killed worker leaves goes with the folder."""
    import signal
    import tempfile
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = str(temporary)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process
    from multiprocessing.connection import wait as wait_for

    if parent := parent_process():
        wait_for([parent.sentinel])
        os._exit(1)


@contextmanager
def dask(address: str) -> Iterator[Pool]:
    """The workers of a Dask cluster; greenlane must be installed there, and the paths the same."""
    try:
        from distributed import Client
    except ImportError:
        raise GreenlaneError(
            "--scheduler needs Dask, which is not installed.",
            "Install it beside greenlane: `pip install 'greenlane[fleet]'`.",
        ) from None
    hint = "Start one: `dask scheduler`, and `dask worker ADDRESS`; its address is tcp://HOST:PORT."
    if not _ADDRESS.fullmatch(address):
        raise GreenlaneError(f"{address!r} is no address of a Dask scheduler.", hint)
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, OverflowError) as error:
        raise GreenlaneError(f"There is no Dask scheduler at {address}: {error}", hint) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=30)
        except OSError:
            raise GreenlaneError(f"The scheduler at {address} has no worker.", hint) from None
        # pure=False: the same task is new work each time.
        yield Pool(lambda: client.get_executor(pure=False), room=1_000_000)
