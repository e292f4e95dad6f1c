"""`greenlane fleet update` over many real repositories, with a worker killed in the middle.

    python benchmarks/fleet.py [--repositories 500] [--kit FOLDER]

Repositories of every preset, from the kit at two earlier commits and of today, are lived in:
edited, dirty, in conflict, broken on purpose. They are updated by two processes, then by a Dask
cluster of two workers. Afterwards each is looked at: its outcome, `git fsck`, and that nothing a
person sees was touched. Exit status 1 when anything is not as it should be. Needs the history of
this repository.
"""

import argparse
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from greenlane.answers import resolve
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, built_in_root, load_kit
from greenlane.project import create
from greenlane.record import FOLDER
from greenlane.render import render

ROOT = Path(__file__).parents[1]
KINDS = {
    "as rendered": "updated",
    "edited": "updated",
    "dirty": "updated",
    "deleted and renamed": "updated",
    "in conflict": "conflicts",
    "current": "up to date",
    "broken": "failed",
}
NOTE = ".git/greenlane/fleet.json"
OWN = "\n## Ours\n\nRun it on Mondays.\n"


@dataclass
class Repository:
    path: Path
    kind: str
    before: str = ""


@dataclass
class Run:
    """What was measured of one run: seconds, the highest sum of resident memory, the document."""

    seconds: float = 0.0
    peak: float = 0.0
    killed: int = 0
    document: dict = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, default=500)
    parser.add_argument("--kit", type=Path, help="default: the built-in kit")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="greenlane-bench-") as name:
        folder = Path(name)
        kits = [*earlier_kits(folder), load_kit(arguments.kit or built_in_root())]
        (folder / "clones").mkdir()
        repositories = make(folder / "clones", kits, arguments.repositories)
        problems = on_processes(folder / "clones", kits[-1], repositories)
        for repository in repositories:
            forget(repository)
        problems += on_dask(folder / "clones", kits[-1], repositories)
    for problem in problems:
        print(f"WRONG  {problem}")
    sys.exit(1 if problems else print("\nnothing was lost, and every outcome is as expected"))


# -- repositories ---------------------------------------------------------------------------------


def earlier_kits(folder: Path) -> list[Kit]:
    """The kit at the oldest commit at which it loads, and half-way from there."""
    told = git(ROOT, "log", "--first-parent", "--reverse", "--format=%H", "--", "templates")
    commits, found = told.split()[:-1], []
    for number in (0, len(commits) // 2):
        for commit in commits[number:]:
            archive = subprocess.run(
                ["git", "archive", commit, "templates"], cwd=ROOT, capture_output=True, check=True
            )
            place = folder / f"kit-{commit}"
            with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
                tar.extractall(place, filter="data")
            with suppress(GreenlaneError):
                kit = load_kit(place / "templates")
                if kit.presets:
                    found.append(kit)
                    break
    if len(found) < 2:
        sys.exit(
            "error: there is no history with two earlier kits; fetch it: git fetch --unshallow"
        )
    return found


def make(folder: Path, kits: Sequence[Kit], number: int) -> list[Repository]:
    started = time.perf_counter()
    presets = sorted(set.intersection(*(set(kit.presets) for kit in kits)))
    made = []
    for n in range(number):
        kind = list(KINDS)[n % len(KINDS)]
        preset = presets[n // len(KINDS) % len(presets)]
        kit = kits[-1] if kind == "current" else kits[n % 2]
        repository = Repository(folder / f"app-{n:04}", kind)
        answers = resolve(kit, preset=preset, name=repository.path.name)
        create(kit, answers, repository.path)
        changed = changed_by(kit, kits[-1], preset) if kind == "in conflict" else ""
        live_in(repository, changed, n)
        repository.before = state(repository)
        made.append(repository)
    seconds = time.perf_counter() - started
    print(f"{number} repositories of the presets {', '.join(presets)} made in {seconds:.0f} s")
    return made


def changed_by(old: Kit, new: Kit, preset: str) -> str:
    """A Python file that both kits have and that is not the same."""
    ours, theirs = (render(kit, resolve(kit, preset=preset, name="bench")) for kit in (old, new))
    return next(
        path
        for path in sorted(ours)
        if path.endswith(".py") and path in theirs and ours[path].content != theirs[path].content
    )


def live_in(repository: Repository, changed: str, number: int) -> None:
    path = repository.path
    match repository.kind:
        case "edited":
            (path / "README.md").write_text((path / "README.md").read_text() + OWN)
            (path / "app/own.py").write_text("OWN = 1\n")
        case "dirty":
            (path / "README.md").write_text("not committed\n")
            (path / "untracked.txt").write_text("untracked\n")
            (path / "staged.txt").write_text("staged\n")
            git(path, "add", "staged.txt")
            return
        case "deleted and renamed":
            (path / ".github/pull_request_template.md").unlink(missing_ok=True)
            (path / "AGENTS.md").rename(path / "AI.md")
        case "in conflict":
            (path / changed).write_text("OURS = 1\n")
        case "broken":
            break_it(path, number // len(KINDS) % 4)
            return
    git(path, "add", "-A")
    git(path, "commit", "-qm", "Work", "--allow-empty")


def break_it(path: Path, how: int) -> None:
    match how:
        case 0:
            (path / ".git/HEAD").write_text("nonsense\n")
        case 1:
            for pack in (path / ".git/objects/pack").iterdir():
                pack.unlink()
        case 2:
            (path / FOLDER / "lock.json").write_text("{")
            git(path, "commit", "-qam", "Break the lock")
        case 3:
            (path / FOLDER / "project.yml").write_text("kit: another\nversion: 1\napp: x\n")
            git(path, "commit", "-qam", "Break the record")


def state(repository: Repository) -> str:
    """A digest of all that a person sees: HEAD, index, every file of the work tree."""
    digest = hashlib.sha256()
    path = repository.path
    for file in sorted(path.rglob("*")):
        inside = file.relative_to(path)
        if file.is_file() and inside.parts[0] != ".git":
            digest.update(f"{inside}\0{file.stat().st_mode}\0".encode() + file.read_bytes())
    digest.update((path / ".git/HEAD").read_bytes())
    with suppress(subprocess.CalledProcessError):
        digest.update(git(path, "ls-files", "--stage").encode())
        digest.update(git(path, "rev-parse", "HEAD").encode())
    return digest.hexdigest()


def forget(repository: Repository) -> None:
    """Take back what a run made."""
    (repository.path / NOTE).unlink(missing_ok=True)
    with suppress(subprocess.CalledProcessError):
        for branch in branches(repository):
            git(repository.path, "update-ref", "-d", branch)


def branches(repository: Repository) -> list[str]:
    told = git(repository.path, "for-each-ref", "--format=%(refname)", "refs/heads/greenlane")
    return told.split()


# -- runs -----------------------------------------------------------------------------------------


def on_processes(folder: Path, kit: Kit, repositories: list[Repository]) -> list[str]:
    def workers(command: psutil.Process) -> list[psutil.Process]:
        found = command.children(recursive=True)
        servers = [p.pid for p in command.children() if "forkserver" in " ".join(p.cmdline())]
        return [p for p in found if p.ppid() in servers]

    run = update(folder, kit, ["--jobs", "2"], repositories, workers)
    return report("two processes", run, repositories)


def on_dask(folder: Path, kit: Kit, repositories: list[Repository]) -> list[str]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:

        def workers(_: psutil.Process) -> list[psutil.Process]:
            return [psutil.Process(w.pid) for w in cluster.workers.values() if w.pid]

        options = ["--scheduler", cluster.scheduler_address]
        run = update(folder, kit, options, repositories, workers)
    return report("a Dask cluster of two workers", run, repositories)


def update(
    folder: Path,
    kit: Kit,
    options: list[str],
    repositories: list[Repository],
    workers: Callable[[psutil.Process], list[psutil.Process]],
) -> Run:
    """Run the command; kill one of its workers when a third is done."""
    run = Run()
    command = [sys.executable, "-m", "greenlane", "fleet", "update", str(folder)]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--kit", str(kit.root), "--json", *options], stdout=subprocess.PIPE
    )
    done = threading.Event()
    watcher = threading.Thread(
        target=watch, args=(run, psutil.Process(process.pid), workers, repositories, done)
    )
    watcher.start()
    out, _ = process.communicate()
    run.seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    run.document = json.loads(out)
    return run


def watch(
    run: Run,
    command: psutil.Process,
    workers: Callable[[psutil.Process], list[psutil.Process]],
    repositories: list[Repository],
    done: threading.Event,
) -> None:
    while not done.wait(0.05):
        with suppress(psutil.Error):
            found = workers(command)
            tree = {p.pid: p for w in [command, *found] for p in [w, *w.children(recursive=True)]}
            run.peak = max(run.peak, sum(memory(p) for p in tree.values()))
            finished = sum((r.path / NOTE).exists() for r in repositories)
            if found and not run.killed and finished >= len(repositories) // 3:
                run.killed = found[0].pid
                os.kill(run.killed, signal.SIGKILL)


def memory(process: psutil.Process) -> float:
    try:
        return process.memory_info().rss / 2**20
    except psutil.Error:
        return 0.0


def report(title: str, run: Run, repositories: list[Repository]) -> list[str]:
    """Print what was measured; returns what is not as it should be."""
    number = len(repositories)
    print(f"\n{number} repositories on {title}, one worker killed (pid {run.killed or 'none'})")
    print(f"  wall time               {run.seconds:8.1f} s")
    print(f"  repositories per minute {60 * number / run.seconds:8.0f}")
    print(f"  peak memory, RSS of the command, its workers and their git {run.peak:6.0f} MiB")
    print(f"  outcomes                {run.document['counts']}")
    problems = [] if run.killed else [f"{title}: no worker was killed"]
    results = {result["name"]: result for result in run.document["repositories"]}
    for repository in repositories:
        result = results.get(repository.path.name, {"state": "missing", "reason": ""})
        expected = KINDS[repository.kind]
        if result["state"] != expected:
            problems.append(
                f"{repository.path.name} ({repository.kind}) is {result['state']}, not {expected}: "
                f"{result['reason'] or result['conflicts']}"
            )
        problems += check(repository, expected)
    kinds = Counter(repository.kind for repository in repositories)
    print(f"  checked                 {', '.join(f'{n} {kind}' for kind, n in kinds.items())}")
    return problems


def check(repository: Repository, expected: str) -> list[str]:
    name, problems = repository.path.name, []
    if state(repository) != repository.before:
        problems.append(f"{name}: the work tree, the index or HEAD was touched")
    if expected == "failed":
        return problems
    try:
        if told := git(repository.path, "fsck", "--strict", "--no-dangling"):
            problems.append(f"{name}: {told}")
    except subprocess.CalledProcessError as error:
        problems.append(f"{name}: {error.stderr}")
    if bool(branches(repository)) != (expected == "updated"):
        problems.append(f"{name}: {expected}, but its branches are {branches(repository)}")
    return problems


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
