"""What a run was made with, so that two runs are compared only when they can be."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
from pathlib import Path

from app.evals.suite import Suite, SuiteError

# Together with the module of `run_case` these decide whether an answer is right.
SCORING = ("runner.py", "suite.py")


def scorer_hash(suite: Suite) -> str:
    """The hash of the code that scores. Thresholds are not in it: they judge rows, not make them.

    Raises SuiteError when the module of `run_case` does not exist.
    """
    name = suite.run_case.partition(":")[0]
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SuiteError(f"evals/suite.yaml names run_case {suite.run_case}: no such module")
    files = [Path(__file__).with_name(file) for file in SCORING]
    digest = hashlib.sha256()
    for path in [*files, Path(spec.origin)]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def machine_fingerprint() -> str:
    """A short hash of processor, its number of cores, system and Python: no name, no address."""
    parts = (
        platform.machine(),
        _processor(),
        str(os.cpu_count()),
        platform.system(),
        platform.python_version(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def git_state(root: Path, ignored: str) -> tuple[str | None, list[str]]:
    """The commit, and the paths that differ from it but for `ignored`; (None, []) without git."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None, []
    status = _git(root, "status", "--porcelain", "--untracked-files=all", "--", ".") or ""
    paths = [line[3:] for line in status.splitlines()]
    return commit.strip(), [path for path in paths if path != ignored]


def _git(root: Path, *arguments: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    done = subprocess.run(  # noqa: S603 - a fixed program and fixed arguments
        [program, "-C", str(root), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None
