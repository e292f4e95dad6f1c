"""GitHub's own reader of workflows, as a script for node."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "render/github"
# Read at import: each test is given a home of its own, and would fetch everything again.
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def made() -> Path:
    """The script, made once and kept between runs."""
    assert shutil.which("npm"), "npm is needed: apt-get install nodejs npm"
    inputs = [SOURCE / name for name in ("check.js", "package.json", "package-lock.json")]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    folder = CACHES / "greenlane-tests" / f"github-parser-{state}"
    if not (folder / "check.cjs").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for path in inputs:
            shutil.copy(path, folder)
        for command in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return folder / "check.cjs"


def read_by_github(parser: Path, *workflows: Path) -> str:
    """What GitHub's parser complains of; empty when there is nothing."""
    done = subprocess.run(
        ["node", str(parser), *map(str, workflows)], capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) == (not done.stdout), done.stdout + done.stderr
    assert not done.stderr, done.stderr
    return done.stdout
