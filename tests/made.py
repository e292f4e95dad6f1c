"""Repositories of the built-in kit, made and used as a person does it."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from greenlane.combinations import compatible
from greenlane.kit import Category, load_kit
from workflow_steps import clean_environment

KIT = load_kit()
APP = sorted(KIT.apps)[0]
EVERYTHING = "everything"
LARGE_MODEL = "everything, with a large model"


def requirement(name: str) -> str:
    """A package, in the versions that rendered repositories have."""
    pins = KIT.versions["python"]
    assert isinstance(pins, Mapping)
    return f"{name}{pins[name]}"


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


def choices(category: Category) -> Iterator[tuple[str, ...]]:
    """None, one, and, of two, both."""
    members = KIT.members(category.name)
    yield ()
    yield from ((name,) for name in members)
    if len(members) == 2:
        yield tuple(members)


def chosen() -> list[tuple[str, ...]]:
    """One choice of each category that is asked about."""
    found: list[tuple[str, ...]] = [()]
    for category in KIT.categories.values():
        if category.ask:
            found = [(*before, *choice) for before in found for choice in choices(category)]
    return found


def modules_of(preset: str, choice: Sequence[str]) -> list[str]:
    """Those of the preset, with `choice` instead of what it has of the categories asked about."""
    asked = {category.name for category in KIT.categories.values() if category.ask}
    own = KIT.presets[preset].modules
    return [*(name for name in own if KIT.parts[name].category not in asked), *choice]


def new(choice: str, dest: Path, *more: str, modules: Sequence[str] = ()) -> None:
    """`greenlane new`, by a preset's name, with `more` beside its own modules or with `modules`.

    EVERYTHING stands for all modules.
    """
    options = ["--preset", choice, *(f"--with={name}" for name in more)]
    if choice in (EVERYTHING, LARGE_MODEL):
        modules = compatible(KIT, APP, sorted(KIT.modules))
        options = ["--set", f"app={APP}", "--set", "code_owner=@acme/ml"]
        options += ["--set", "large_model=openai"] if choice == LARGE_MODEL else []
    if modules:
        options += ["--set", f"modules={','.join(modules)}"]
    greenlane("new", str(dest), *options)


def status(folder: Path) -> str:
    return run(folder, "git", "status", "--porcelain")
