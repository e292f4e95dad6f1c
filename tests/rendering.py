"""A rendered tree on the disk, and tools run on it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from greenlane.tree import Tree


def write(tree: Tree, folder: Path) -> Path:
    """The tree as plain files in `folder`, modes included."""
    for path, file in tree.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
    return folder


def tool(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment (`zizmor`, `ruff`, ...); stderr is part of its stdout."""
    beside = Path(sys.executable).with_name(command[0])
    program = str(beside) if beside.exists() else shutil.which(command[0])
    assert program, f"{command[0]} is not installed; `make test` and `.ci/run` install it"
    return subprocess.run(
        [program, *command[1:]],
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
