"""What the tests of this folder render: every part together, and tools run on the result."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from greenlane.answers import Answers, resolve
from greenlane.kit import Kit
from greenlane.tree import Tree


def compatible(kit: Kit, app: str, names: list[str]) -> list[str]:
    """Those of the modules that go together, in the order given: a conflict drops the later one."""
    chosen: list[str] = []
    for name in names:
        together = kit.with_required([app, *chosen, name])
        conflicts = {other for part in together for other in kit.parts[part].conflicts}
        if not conflicts & together:
            chosen.append(name)
    return chosen


def everything(kit: Kit, app: str, *sets: str) -> Answers:
    """Answers with all modules that go with `app`."""
    modules = compatible(kit, app, sorted(kit.modules))
    return resolve(kit, name="my-app", sets=[f"app={app}", f"modules={','.join(modules)}", *sets])


def templates(kit: Kit, answers: Answers) -> set[str]:
    """The paths that come from a template, in which nothing of it may be left."""
    parts = kit.chosen(answers.app, answers.modules)
    return {path for part in parts for path, source in part.files.items() if source.template}


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
