"""Repositories of the built-in kit, made and used as a person does it."""

import subprocess
import sys
import tempfile
from pathlib import Path

from greenlane.combinations import compatible
from greenlane.kit import load_kit
from workflow_steps import clean_environment

KIT = load_kit()
APP = sorted(KIT.apps)[0]
EVERYTHING = "everything"
LARGE_MODEL = "everything, with a large model"


def run(folder: Path, *command: str) -> str:
    """The output of a command that must succeed, stderr included."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}"
    return done.stdout


def greenlane(*arguments: str) -> str:
    return run(Path(tempfile.gettempdir()), sys.executable, "-m", "greenlane", *arguments)


def new(choice: str, dest: Path, *modules: str) -> None:
    """`greenlane new`, by a preset's name, with `modules` beside its own, or with every module."""
    if choice in (EVERYTHING, LARGE_MODEL):
        chosen = compatible(KIT, APP, sorted(KIT.modules))
        options = ["--set", f"app={APP}", "--set", f"modules={','.join(chosen)}"]
        options += ["--set", "code_owner=@acme/ml"]
        options += ["--set", "large_model=openai"] if choice == LARGE_MODEL else []
    else:
        options = ["--preset", choice, *(f"--with={name}" for name in modules)]
    greenlane("new", str(dest), *options)


def status(folder: Path) -> str:
    return run(folder, "git", "status", "--porcelain")
