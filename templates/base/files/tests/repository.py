"""Git repositories of the tests' own."""

import os
import subprocess
from pathlib import Path


def environment() -> dict[str, str]:
    """The environment without git's own: a hook that runs the tests names its repository."""
    return {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603  fixed arguments
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def commit(folder: Path) -> None:
    """Commit all that the folder holds, as Ada."""
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=Ada", "-c", "user.email=a@example.com", "commit", "-qm", "A")
