"""Times commands against each other in one run, in turn, so that a busy moment hits all alike."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Where it is set, what is installed in place is compiled at every start, and the peers are not.
_COMPILED = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@dataclass
class Contestant:
    """A command that is run again and again. `prepare` runs before each, untimed."""

    name: str
    command: Sequence[str]
    prepare: Callable[[], object] = lambda: None
    cwd: Path | None = None
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def race(contestants: Sequence[Contestant], rounds: int) -> None:
    """Run every contestant `rounds` times, in turn, after one untimed warm-up each."""
    for number in range(rounds + 1):
        for contestant in contestants:
            contestant.prepare()
            started = time.perf_counter()
            done = subprocess.run(
                contestant.command,
                cwd=contestant.cwd,
                env=_COMPILED,
                capture_output=True,
                text=True,
                check=False,
            )
            elapsed = time.perf_counter() - started
            if done.returncode:
                sys.exit(f"{contestant.name} failed:\n{done.stdout}{done.stderr}")
            if number:
                contestant.seconds.append(elapsed)


def report(title: str, contestants: Sequence[Contestant]) -> None:
    """Print medians, ranges, and each median as a multiple of the first's."""
    first = contestants[0].median
    print(f"\n{title}, {len(contestants[0].seconds)} runs each")
    for one in contestants:
        low, high = min(one.seconds), max(one.seconds)
        print(
            f"  {one.name:<34} {one.median * 1000:8.1f} ms   "
            f"{low * 1000:.1f} to {high * 1000:.1f}   x{one.median / first:.2f}"
        )


def check(target: str, met: bool) -> list[str]:
    """Print whether the target is met; returns it when it is not."""
    print(f"  {'met   ' if met else 'MISSED'}  {target}")
    return [] if met else [target]


def remover(folder: Path) -> Callable[[], None]:
    """Return a function that removes `folder`, for commands that create it."""
    return lambda: shutil.rmtree(folder, ignore_errors=True)
