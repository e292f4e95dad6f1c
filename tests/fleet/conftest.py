"""A folder of clones, each in a state of its own, and a newer kit for all of them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenlane.fleet import work
from greenlane.fleet.targets import Target
from greenlane.kit import Kit
from owner import NUMBERED, Project

BRANCH = "greenlane/update-1.1.0"
NEW = "base/files/NEW.md"


class Fleet:
    """`repositories` by name in the folder `path`; `newer` is the kit that they are updated to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "clones"
        self.path.mkdir()
        self.repositories: dict[str, Project] = {}
        self._kits = Project(folder)
        self.older = self.kit("1.0.0")
        main = NUMBERED.replace("line 10\n", "theirs\n")
        self.newer = self.kit("1.1.0", {"base/files/app/main.py": main, NEW: "new\n"})
        self._pristine = self.create("clean")

    def kit(self, version: str, changes: dict[str, Any] | None = None) -> Kit:
        return self._kits.kit(version, changes)

    def create(self, name: str, kit: Kit | None = None) -> Project:
        project = Project(self.path)
        project.path = self.path / name
        if kit is None and self.repositories:
            shutil.copytree(self._pristine.path, project.path, symlinks=True)
        else:
            project.create(kit or self.older)
        self.repositories[name] = project
        return project

    def populate(self) -> None:
        """Six repositories of all kinds."""
        edited = self.create("edited")
        edited.edit("app/main.py", "line 2\n", "ours\n")
        edited.commit()
        dirty = self.create("dirty")
        dirty.write("app/main.py", "not committed\n")
        dirty.write("NEW.md", "in the way of a work tree\n")
        dirty.write("staged", "staged\n")
        dirty.git("add", "staged")
        clash = self.create("clash")
        clash.edit("app/main.py", "line 10\n", "ours\n")
        clash.commit()
        self.create("current", self.newer)
        self.create("broken").write(".git/HEAD", "nonsense\n")

    def task(self, name: str, kit: Kit | None = None, **more: Any) -> dict[str, Any]:
        root = str((kit or self.newer).root)
        fields = {key: more.pop(key) for key in ("branch", "base", "sets", "url") if key in more}
        options = {"push": False, "dry_run": False, **more}
        target = Target(name, self.path / name, **fields)
        return work.task_of(target, root, work.kit_and_digest(root)[1], **options)

    def update(self, name: str, **more: Any) -> dict[str, Any]:
        return work.report_update(self.task(name, **more))

    def command(self, *arguments: object) -> list[str]:
        plain = [sys.executable, "-m", "greenlane", "fleet", *map(str, arguments)]
        return [*plain, "--kit", str(self.newer.root)]

    def states(self) -> dict[str, dict[str, object]]:
        """All that a person sees in the repositories that git can read."""
        readable = {k: v for k, v in self.repositories.items() if k != "broken"}
        return {name: project.state() for name, project in readable.items()}

    def branches(self) -> dict[str, str]:
        """Name -> the tree on the update's branch, where there is one. Each repository is whole."""
        found = {}
        for name, project in self.repositories.items():
            if name == "broken":
                continue
            assert project.git("fsck", "--strict", "--no-dangling") == ""
            told = project.git("for-each-ref", "--format=%(tree)", f"refs/heads/{BRANCH}")
            if told:
                found[name] = told
        return found


def run(fleet: Fleet, *arguments: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `greenlane fleet`."""
    done = subprocess.run(
        fleet.command(*arguments), capture_output=True, text=True, check=False, cwd=fleet.path
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A folder with one repository, `clean`."""
    return Fleet(tmp_path)


@pytest.fixture
def greenlane(fleet: Fleet) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs `greenlane fleet ... --json`: exit status and document."""

    def call(*arguments: object) -> tuple[int, dict[str, Any]]:
        status, out, err = run(fleet, *arguments, "--json")
        assert "Traceback" not in err, err
        return status, json.loads(out)

    return call
