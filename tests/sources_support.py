"""A person with templates of others: repositories in a folder, and greenlane run in another."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from greenlane.cli import cli
from greenlane.exits import run

GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_NAME": "Ada" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "ada@example.com" for who in ("AUTHOR", "COMMITTER")},
}


class Templates:
    """Repositories of templates, made version by version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, name: str, files: Mapping[str, str | bytes | Path], tag: str = "") -> Path:
        """Replace all files of the template `name`, commit and tag them. A Path is a link."""
        root = self.folder / name
        if not root.exists():
            root.mkdir(parents=True)
            git(root, "init", "-q", "-b", "main")
        for old in git(root, "ls-files", "-z").split("\0")[:-1]:
            (root / old).unlink()
        for path, content in files.items():
            write(root / path, content)
        git(root, "add", "-A", "-f")
        git(root, "commit", "-q", "-m", tag or "work", "--allow-empty")
        if tag:
            git(root, "tag", tag)
        return root


def write(path: Path, content: str | bytes | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        path.symlink_to(content)
        return
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if path.suffix == ".sh":
        path.chmod(0o755)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **GIT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_of(folder: Path, *without: str) -> dict[str, tuple[str, bytes]]:
    """Path -> mode and content of every file and link; not of .git."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if inside.split("/")[0] in {".git", *without}:
            continue
        if path.is_symlink():
            found[inside] = ("link", os.fsencode(path.readlink()))
        elif path.is_file():
            found[inside] = ("x" if path.stat().st_mode & 0o100 else "-", path.read_bytes())
    return found


class Person:
    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.commits = True
        self._capfd = capfd

    def run(self, *arguments: object, inside: str = "") -> tuple[int, str, str]:
        """Exit status, stdout and stderr of a command."""
        words = [str(argument) for argument in arguments]
        if words[0] == "new" and self.commits:
            words.append("--git")
        before = Path.cwd()
        os.chdir(self.folder / inside)
        try:
            status = run(cli, words)
        finally:
            os.chdir(before)
        told = self._capfd.readouterr()
        return status, told.out, told.err

    def ok(self, *arguments: object, inside: str = "", status: int = 0) -> str:
        got, out, err = self.run(*arguments, inside=inside)
        assert got == status, out + err
        return out

    def document(self, *arguments: object, inside: str = "", status: int = 0) -> Any:
        return json.loads(self.ok(*arguments, "--json", inside=inside, status=status))

    def fails(self, *arguments: object, inside: str = "") -> str:
        """Message and hint of a command that fails in order."""
        status, out, err = self.run(*arguments, inside=inside)
        assert status == 2, out + err
        assert err.startswith("error: "), err
        return err

    def commit(self, project: str, message: str = "work") -> None:
        git(self.folder / project, "add", "-A")
        git(self.folder / project, "commit", "-q", "-m", message)
