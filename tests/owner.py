"""A project made from a small kit, as its owner works on it."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from greenlane import update as recipes
from greenlane.answers import resolve
from greenlane.kit import Kit, load_kit
from greenlane.project import create
from greenlane.update import Plan

NUMBERED = "".join(f"line {number}\n" for number in range(1, 21))

KIT: dict[str, str] = {
    "kit.yml": """\
name: tiny
version: "{version}"
description: A kit for tests
categories: {{work: Work}}
questions: [project_name, region]
""",
    "base/module.yml": """\
title: Base
description: What every repository has
sets: {dependencies: Packages}
slots: {readme.md: A section of the README}
questions:
  project_name: {help: Name?, default: my-app}
  region: {help: Where?, default: us}
""",
    "base/files/README.md.jinja": "# {{ project_name }}\n\nIn {{ region }}.\n\n"
    '{{ slots["readme.md"] }}\n\n## End\n',
    "base/files/pyproject.toml.jinja": """\
[project]
name = "{{ project_name }}"
dependencies = [
    "click>=8.2",
{% for name in sets.dependencies %}
    "{{ name }}",
{% endfor %}
    "structlog>=25",
]
""",
    "base/files/.gitignore.jinja": "*.pyc\n/var/\n",
    "base/files/.env.example": "HOST=localhost\nPORT=8000\n",
    "base/files/app/main.py": NUMBERED,
    "base/files/app/old.py": NUMBERED.replace("line", "old"),
    "base/files/tool": "#!/bin/sh\necho one\n",
    "base/files/justfile": "check:\n    echo checked\n",
    "apps/desk/module.yml": "title: Desk\ndescription: An application\n",
    "apps/desk/files/app/desk.py": "DESK = 1\n",
    "modules/mail/module.yml": """\
title: Mail
description: Letters
category: work
contributes: {dependencies: ["aiosmtplib>=4"]}
""",
    "modules/mail/files/app/mail/send.py": NUMBERED.replace("line", "mail"),
    "modules/mail/files/app/mail/smtp.py": "SMTP = 1\n",
    "modules/mail/slots/readme.md": "## Mail\n\nLetters.\n",
    "modules/jobs/module.yml": "title: Jobs\ndescription: Work\ncategory: work\n",
    "modules/jobs/files/app/jobs.py": "JOBS = 1\n",
}

Changes = Mapping[str, str | bytes | None]


class Project:
    """A repository made from the kit, in the folder `path`; `git` runs git in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "project"
        self._kits = 0

    def kit(self, version: str = "1.0.0", changes: Changes | None = None) -> Kit:
        """The kit with files changed; None as content leaves a file out."""
        self._kits += 1
        root = self._folder / f"kit{self._kits}"
        for path, content in {**KIT, **(changes or {})}.items():
            if content is None:
                continue
            if path == "kit.yml" and isinstance(content, str):
                content = content.format(version=version)
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_kit(root)

    def create(self, kit: Kit | None = None, *, modules: tuple[str, ...] = ()) -> None:
        kit = kit or self.kit()
        create(kit, resolve(kit, with_parts=modules), self.path)

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True
        ).stdout.rstrip("\n")

    def read(self, path: str) -> str:
        return (self.path / path).read_bytes().decode()

    def write(self, path: str, content: str | bytes) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text
        self.write(path, text.replace(old, new, 1))

    def exists(self, path: str) -> bool:
        return (self.path / path).exists()

    def commit(self, message: str = "Work") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def update(self, kit: Kit, **options: Any) -> dict[str, str]:
        """Update, apply, and check what always holds. Returns path -> kind of outcome."""
        with recipes.update(self.path, kit, **options) as plan:
            return self.apply(plan)

    def apply(self, plan: Plan) -> dict[str, str]:
        plan.apply()
        unmerged = set(self.git("ls-files", "--unmerged", "-z").split("\0")) - {""}
        open_paths = {line.partition("\t")[2] for line in unmerged}
        assert open_paths == {stage.path for stage in plan.merge.stages}
        assert self.git("fsck", "--strict", "--no-dangling") == ""
        return kinds(plan)

    def unmerged(self) -> dict[str, set[str]]:
        """Path -> stages of what is left to the user."""
        found: dict[str, set[str]] = {}
        for line in filter(None, self.git("ls-files", "--unmerged", "-z").split("\0")):
            head, _, path = line.partition("\t")
            found.setdefault(path, set()).add(head.split()[2])
        return found

    def state(self) -> dict[str, object]:
        """Everything that an abort must bring back: HEAD, index, and every file with its mode."""
        return {
            "files": self.state_of_files(),
            "head": self.git("rev-parse", "HEAD"),
            "branch": self.git("symbolic-ref", "HEAD"),
            "index": self.git("ls-files", "--stage"),
            "status": self.git("status", "--porcelain"),
        }

    def state_of_files(self) -> dict[str, tuple[int, bytes]]:
        files = {}
        for file in sorted(self.path.rglob("*")):
            inside = file.relative_to(self.path)
            if inside.parts[0] != ".git" and not file.is_dir():
                files[str(inside)] = (file.lstat().st_mode, file.read_bytes())
        return files

    def clone(self, *options: str) -> "Project":
        """A clone beside this one."""
        other = Project(self._folder / f"clone{len(list(self._folder.iterdir()))}")
        other._folder.mkdir()
        subprocess.run(
            ["git", "clone", "--quiet", *options, f"file://{self.path}", other.path], check=True
        )
        return other

    def remove_folder(self, path: str) -> None:
        shutil.rmtree(self.path / path)


def kinds(plan: Plan) -> dict[str, str]:
    return {outcome.path: outcome.kind for outcome in plan.merge.outcomes}
