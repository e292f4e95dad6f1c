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

    def read(self, url: str, token: str) -> str:
        """What the application's container gets from another."""
        headers = {"Authorization": f"Bearer {token}"}
        code = "from urllib.request import Request, urlopen as get\n"
        code += f"print(get(Request({url!r}, headers={headers})).read().decode())"
        return self.python("app", code)
