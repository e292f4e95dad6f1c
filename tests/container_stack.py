"""A project whose containers run."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from docker_engine import Engine

# Of the year 2023: the same commit, the same times.
EPOCH = "SOURCE_DATE_EPOCH=1700000000"


@dataclass(frozen=True)
class Stack:
    """`url` is where the application answers, `env` what .env says."""

    engine: Engine
    folder: Path
    url: str
    env: dict[str, str]

    def id_of(self, service: str) -> str:
        return self.engine.compose(self.folder, "ps", "--all", "--quiet", service).strip()

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        return self.engine.try_docker("exec", self.id_of(service), *command)

    def python(self, service: str, code: str) -> str:
        done = self.inside(service, "python", "-c", code)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def read(self, url: str) -> str:
        """What a container of the project gets from another."""
        code = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=5).read().decode())"
        return self.python("app", code)
