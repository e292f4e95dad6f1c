"""Workers that are killed, on a pool of processes and on a Dask cluster: nothing is lost."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import fleet_workers
from fleet.conftest import Fleet
from greenlane.fleet import pool, work

Result = dict[str, Any]


def run(fleet: Fleet, do: Callable[[Result], Result], workers: pool.Pool) -> dict[str, Result]:
    """All repositories; results by name."""
    tasks = [fleet.task(name) for name in fleet.repositories]
    results: dict[int, Result] = {}

    def tell(number: int, result: Result) -> None:
        assert number not in results
        results[number] = result

    pool.run(do, tasks, workers, tell, work.failure)
    return {task["name"]: results[number] for number, task in enumerate(tasks)}


def states(results: dict[str, Result]) -> dict[str, str]:
    return {name: result["state"] for name, result in results.items()}


EXPECTED = {
    "clean": "updated",
    "edited": "updated",
    "dirty": "updated",
    "clash": "conflicts",
    "current": "up to date",
    "broken": "failed",
}


def kills(fleet: Fleet, name: str, times: int) -> None:
    (fleet.path / f"{name}.kills").write_text(str(times))


@pytest.mark.parametrize("do", [fleet_workers.killed, fleet_workers.killed_afterwards])
def test_a_killed_worker_loses_nothing(fleet: Fleet, do: Callable[[Result], Result]) -> None:
    fleet.populate()
    before = fleet.states()
    kills(fleet, "edited", 1)
    with pool.processes(2) as workers:
        assert states(run(fleet, do, workers)) == EXPECTED
    assert fleet.states() == before
    assert fleet.branches().keys() == {"clean", "edited", "dirty"}


def test_the_one_that_kills_twice_has_failed_and_no_other(fleet: Fleet) -> None:
    fleet.populate()
    kills(fleet, "clean", 100)
    kills(fleet, "clash", 1)
    with pool.processes(3) as workers:
        results = run(fleet, fleet_workers.killed, workers)
    assert states(results) == {**EXPECTED, "clean": "failed"}
    assert "ended twice" in results["clean"]["reason"]
    assert fleet.branches().keys() == {"edited", "dirty"}


def test_what_a_worker_raises_is_a_result(fleet: Fleet) -> None:
    with pool.processes(1) as workers:
        results = run(fleet, fleet_workers.raising, workers)
    assert (results["clean"]["state"], results["clean"]["reason"]) == (
        "failed",
        "ValueError: clean",
    )


def test_any_executor_will_do(fleet: Fleet) -> None:
    fleet.populate()
    threads = pool.Pool(lambda: ThreadPoolExecutor(2), room=2)
    assert states(run(fleet, work.report_update, threads)) == EXPECTED


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_with_a_worker_killed_in_the_middle(fleet: Fleet) -> None:
    from distributed import LocalCluster

    fleet.populate()
    for number in range(20):
        fleet.create(f"more-{number}")
    before = fleet.states()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        victim = next(iter(cluster.workers.values())).pid
        tasks = list(fleet.repositories)
        done = threading.Event()

        def kill_in_the_middle() -> None:
            while (
                not done.is_set() and len(list(fleet.path.glob("*/.git/greenlane/fleet.json"))) < 6
            ):
                time.sleep(0.01)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        with pool.dask(cluster.scheduler_address) as workers:
            results = run(fleet, work.report_update, workers)
        done.set()
        killer.join()
        assert victim not in {worker.pid for worker in cluster.workers.values()}
    assert len(results) == len(tasks)
    more = {f"more-{number}": "updated" for number in range(20)}
    assert states(results) == {**EXPECTED, **more}
    assert fleet.states() == before
    assert fleet.branches().keys() == {"clean", "edited", "dirty", *more}
