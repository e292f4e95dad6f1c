"""Runs many tasks on an executor, and goes on when workers are lost.

A pool of processes breaks as a whole when one of them is killed, and does not say over which task.
So the tasks that were under way then are run again one at a time: the one that breaks the new pool
alone is the culprit. A Dask cluster starts lost tasks again by itself.
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
    """How to make an executor, and how many tasks it is given at a time."""

    make: Callable[[], Executor]
    window: int


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
    waiting, suspects = deque(range(len(tasks))), deque[int]()
    losses: Counter[int] = Counter()
    running: dict[Future[Result], int] = {}
    executor = pool.make()
    try:
        while waiting or suspects or running:
            queue, room = (suspects, 1) if suspects else (waiting, pool.window)
            is_broken = False
            while queue and len(running) < room and not is_broken:
                try:
                    future = executor.submit(work, tasks[queue[0]])
                    running[future] = queue.popleft()
                except BrokenExecutor:
                    is_broken = True
            done = wait(running, return_when=FIRST_COMPLETED).done if running else ()
            for future in done:
                number = running.pop(future)
                try:
                    result = future.result()
                except BrokenExecutor:
                    is_broken = True
                    losses[number] += 1
                    if losses[number] == 1:
                        suspects.append(number)
                        continue
                    result = failed(tasks[number], _LOST)
                except Exception as error:
                    result = failed(tasks[number], f"{type(error).__name__}: {error}")
                tell(number, result)
            if is_broken and not running:
                _close(executor)
                executor = pool.make()
    finally:
        _close(executor)


def _close(executor: Executor) -> None:
    try:
        executor.shutdown(wait=True, cancel_futures=True)
    except TypeError:  # Dask's knows no such option, and cancels when it does not wait
        executor.shutdown(wait=False)


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
                jobs, mp_context=context, initializer=_start, initargs=(Path(name),)
            )

        yield Pool(make, jobs)


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
        yield Pool(lambda: client.get_executor(pure=False), 1_000_000)
